/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

uint64_t bench_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void bench_die(const char *format, ...)
{
    int error = errno;
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, error != 0 ? ": %s\n" : "\n", strerror(error));
    exit(1);
}

uint64_t bench_number(const char *text, uint64_t min)
{
    char *end = NULL;
    unsigned long long value = text != NULL ? strtoull(text, &end, 10) : 0;

    errno = 0;
    if (end == NULL || end == text || *end != '\0' || value < min)
        bench_die("\"%s\" is no number from %llu on", text != NULL ? text : "",
                  (unsigned long long)min);
    return value;
}

uint8_t *bench_read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(1 << 20);

    if (file == NULL || bytes == NULL)
        bench_die("cannot read %s", path);
    *ret_len = fread(bytes, 1, 1 << 20, file);
    if (ferror(file) || *ret_len == 0)
        bench_die("%s is empty", path);
    fclose(file);
    return bytes;
}

void samples_add(struct samples *samples, uint64_t ns)
{
    if (samples->count == samples->size) {
        samples->size = samples->size == 0 ? 4096 : samples->size * 2;
        samples->ns = reallocarray(samples->ns, samples->size, sizeof *samples->ns);
        if (samples->ns == NULL)
            bench_die("no memory for samples");
    }
    samples->ns[samples->count++] = ns;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

uint64_t samples_at(struct samples *samples, double share)
{
    size_t at = (size_t)(share * (double)samples->count);

    if (samples->count == 0)
        return 0;
    qsort(samples->ns, samples->count, sizeof *samples->ns, compare);
    return samples->ns[at < samples->count ? at : samples->count - 1];
}

void samples_free(struct samples *samples)
{
    free(samples->ns);
    *samples = (struct samples){0};
}

int bench_connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path)
        bench_die("the socket's path is too long");
    strcpy(address.sun_path, path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        bench_die("cannot connect to %s", path);
    return fd;
}

int bench_connect_tcp(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        bench_die("cannot connect to port %u", port);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}
