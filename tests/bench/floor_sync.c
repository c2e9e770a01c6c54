/* SPDX-License-Identifier: Apache-2.0 */
/* kms-bench-sync FILE MS: the least a durable commit costs: 4 KiB written in place, fdatasync. The
 * file is on the disk of the store; its blocks exist before. */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 256

static void write_page(int fd, uint64_t number)
{
    static char page[PAGE];

    memset(page, (int)('a' + number % 26), sizeof page);
    if (pwrite(fd, page, sizeof page, (off_t)(number % PAGES * PAGE)) != PAGE)
        bench_die("pwrite");
}

int main(int argc, char **argv)
{
    struct samples samples = {0};
    uint64_t start, now, ms;
    int fd;

    if (argc != 3)
        bench_die("usage: kms-bench-sync FILE MS");
    ms = bench_number(argv[2], 1);
    fd = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        bench_die("cannot open %s", argv[1]);
    for (uint64_t i = 0; i < PAGES; i++)
        write_page(fd, i);
    if (fsync(fd) != 0)
        bench_die("fsync");
    start = now = bench_now_ns();
    for (uint64_t i = 0; now < start + ms * 1000000; i++) {
        uint64_t before = now;

        write_page(fd, i);
        if (fdatasync(fd) != 0)
            bench_die("fdatasync");
        now = bench_now_ns();
        samples_add(&samples, now - before);
    }
    printf("count=%zu per_s=%.1f p50_ns=%llu p99_ns=%llu\n", samples.count,
           (double)samples.count * 1e9 / (double)(now - start),
           (unsigned long long)samples_at(&samples, 0.5),
           (unsigned long long)samples_at(&samples, 0.99));
    samples_free(&samples);
    close(fd);
    return 0;
}
