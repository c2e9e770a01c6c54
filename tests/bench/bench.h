/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of tests/bench share: a clock, samples and their percentiles, an end with a
 * reason. Single-threaded programs; whatever fails ends them with status 1. */
#ifndef KMS_TESTS_BENCH_BENCH_H
#define KMS_TESTS_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

struct samples {
    uint64_t *ns;
    size_t count, size;
};

/* CLOCK_MONOTONIC. */
uint64_t bench_now_ns(void);
/* Prints the sentence and errno's text (if errno is not 0) to stderr, exit status 1. */
__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);
/* A whole number not below min, or the end. */
uint64_t bench_number(const char *text, uint64_t min);
/* The whole file; *ret_len bytes, the caller's to free. */
uint8_t *bench_read_file(const char *path, size_t *ret_len);

void samples_add(struct samples *samples, uint64_t ns);
/* Sorts; share 0 … 1; 0 when there are none. */
uint64_t samples_at(struct samples *samples, double share);
void samples_free(struct samples *samples);
/* Connected stream sockets; the second to 127.0.0.1. */
int bench_connect_unix(const char *path);
int bench_connect_tcp(uint16_t port);

#endif
