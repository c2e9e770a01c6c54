/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/http_rules.h"

#include "base/clock.h"
#include "base/secret.h"
#include "common/timefmt.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STUCK_RESOLVERS_MAX 64 /* in the window */
#define STUCK_WINDOW_MS 60000

/* Verdicts as OpenSSL numbers them. */
#define CERTIFICATE_UNJUDGED 1 /* libcurl stopped at the name */
#define CERTIFICATE_NOT_YET_VALID 9
#define CERTIFICATE_EXPIRED 10
#define CERTIFICATE_OF_ANOTHER_HOST 62
#define CERTIFICATE_OF_ANOTHER_ADDRESS 64

static atomic_int stuck_resolvers;
static _Atomic int64_t stuck_window_ms; /* boot clock, start of the window they are counted in */

static const char *const plain_hosts[] = {
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "::1", "fd00:ec2::254", "fd00:ec2::23",
};

static bool same_address(const char *text, int family, const void *address, size_t size)
{
    unsigned char other[sizeof(struct in6_addr)];

    return inet_pton(family, text, other) == 1 && memcmp(other, address, size) == 0;
}

bool http_plain_host_allowed(const char *host)
{
    char text[INET6_ADDRSTRLEN + 2];
    unsigned char address[sizeof(struct in6_addr)];
    size_t len = strlen(host), size;
    int family;

    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (len >= sizeof(text))
        return false;
    strcpy(text, host);
    if (text[0] == '[' && text[len - 1] == ']') {
        text[len - 1] = '\0';
        memmove(text, text + 1, len - 1);
    }
    family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    size = family == AF_INET6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
    if (inet_pton(family, text, address) != 1)
        return false;
    if (family == AF_INET && address[0] == 127)
        return true;
    for (size_t i = 0; i < sizeof(plain_hosts) / sizeof(plain_hosts[0]); i++)
        if (same_address(plain_hosts[i], family, address, size))
            return true;
    return false;
}

bool http_header_allowed(const char *header)
{
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t name_len = strspn(header, token);
    const char *value = header + name_len;

    if (name_len == 0 || *value != ':')
        return false;
    value++;
    value += strspn(value, " ");
    if (*value == '\0')
        return false;
    for (; *value != '\0'; value++)
        if ((unsigned char)*value < ' ' || *value == 0x7f)
            return false;
    return true;
}

/* The value of the header called name, trimmed, in ret; "" if line is another header or does not
 * fit. */
static bool header_value(const char *line, size_t len, const char *name, char *ret, size_t size)
{
    size_t name_len = strlen(name);

    if (len <= name_len || strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
        return false;
    line += name_len + 1;
    len -= name_len + 1;
    for (; len > 0 && (*line == ' ' || *line == '\t'); len--)
        line++;
    while (len > 0 && (unsigned char)line[len - 1] <= ' ')
        len--;
    if (len >= size)
        return false;
    memcpy(ret, line, len);
    ret[len] = '\0';
    return true;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static int64_t parse_wait_ms(const char *text, int64_t unit_ms)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end != '\0' || value < 0 || value > 86400000)
        return 0; /* the date form of Retry-After is not used by AWS */
    return value * unit_ms;
}

void http_response_header(struct http_response *response, const char *line, size_t len)
{
    char value[128];

    if (len >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
        response->date_ms = 0;
        response->retry_after_ms = 0;
        response->request_id[0] = '\0';
    } else if (header_value(line, len, "date", value, sizeof(value))) {
        if (time_parse_http(value, &response->date_ms) != 0)
            response->date_ms = 0;
        response->received_wall_ms = clock_wall_ms();
    } else if (header_value(line, len, "x-amzn-requestid", value, sizeof(response->request_id))) {
        if (is_printable(value))
            strcpy(response->request_id, value);
    } else if (header_value(line, len, "x-amz-retry-after", value, sizeof(value))) {
        response->retry_after_ms = parse_wait_ms(value, 1);
    } else if (header_value(line, len, "retry-after", value, sizeof(value))) {
        if (response->retry_after_ms == 0)
            response->retry_after_ms = parse_wait_ms(value, 1000);
    }
}

int http_response_append(struct http_response *response, const void *bytes, size_t len)
{
    size_t need = response->body_len + len + 1;

    if (len > HTTP_BODY_MAX || need > HTTP_BODY_MAX + 1)
        return KMS_ETOOBIG;
    if (need > response->body_size) {
        size_t size = response->body_size > 0 ? response->body_size : 4096;
        char *grown;

        while (size < need)
            size *= 2;
        grown = wiping_realloc(response->body, size);
        if (grown == NULL)
            return KMS_ENOMEM;
        response->body = grown;
        response->body_size = size;
    }
    if (len > 0)
        memcpy(response->body + response->body_len, bytes, len);
    response->body_len += len;
    response->body[response->body_len] = '\0';
    return 0;
}

void http_response_done(struct http_response *response)
{
    wiping_free(response->body);
    *response = (struct http_response){0};
}

bool http_resolver_is_stuck(void)
{
    int64_t now_ms = clock_boot_ms();

    if (now_ms - atomic_load(&stuck_window_ms) > STUCK_WINDOW_MS) {
        atomic_store(&stuck_window_ms, now_ms);
        atomic_store(&stuck_resolvers, 0);
    }
    return atomic_load(&stuck_resolvers) >= STUCK_RESOLVERS_MAX;
}

void http_resolver_note_stuck(void)
{
    atomic_fetch_add(&stuck_resolvers, 1);
}

int http_explain_untrusted(const char *url, const char *ca_file, long verify, const char *words,
                           struct err *err)
{
    err_set(err, KMS_EAWSDOWN, "the certificate of %.200s is not trusted: %s", url, words);
    if (verify == CERTIFICATE_NOT_YET_VALID || verify == CERTIFICATE_EXPIRED)
        err_hint(err, "its dates do not fit the clock of this host: if the clock is right, the "
                      "server needs another certificate");
    else if (verify == 0 || verify == CERTIFICATE_UNJUDGED ||
             verify == CERTIFICATE_OF_ANOTHER_HOST || verify == CERTIFICATE_OF_ANOTHER_ADDRESS)
        err_hint(err, "it is that of another server: is the endpoint right, and does nothing come "
                      "between?");
    else if (ca_file != NULL && ca_file[0] != '\0')
        err_hint(err, "no certificate authority in ca_file (%.200s) vouches for it", ca_file);
    else
        err_hint(err, "none of the system's certificate authorities vouches for it: the option "
                      "ca_file names a PEM file with others");
    return KMS_EAWSDOWN;
}

int http_note_begun(void *arg, char *address, char *local_address, int port, int local_port)
{
    (void)address, (void)local_address, (void)port, (void)local_port;
    (*(unsigned *)arg)++;
    return 0; /* CURL_PREREQFUNC_OK */
}

void http_environment_clear(void)
{
    static const char *const names[] = {
        "http_proxy", "HTTP_PROXY", "https_proxy",   "HTTPS_PROXY",   "all_proxy",    "ALL_PROXY",
        "no_proxy",   "NO_PROXY",   "SSLKEYLOGFILE", "SSL_CERT_FILE", "SSL_CERT_DIR",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
}
