/* SPDX-License-Identifier: Apache-2.0 */
/* kms-bench-due DIRECTORY AGENT_ID COUNT: how long the store takes to say that nothing is due;
 * measured inside the operation, so that the way to the writer's thread and back does not hide it.
 */
#include "bench.h"

#include "base/clock.h"
#include "base/thread_role.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>

#define MAP_BYTES (UINT64_C(16) << 30)
#define ROWS_MAX 64
#define LOOKS 16 /* of one operation */

struct look {
    uint64_t ns;
    size_t found;
};

static int apply(struct store_txn *txn, void *arg, struct err *err)
{
    struct look *look = arg;
    struct due_row rows[ROWS_MAX];
    uint64_t start = bench_now_ns();
    int64_t next_ms;
    size_t count;
    int rc = 0;

    look->found = 0;
    for (int i = 0; i < LOOKS && rc == 0; i++) {
        rc = store_due(txn, clock_wall_ms(), rows, ROWS_MAX, NULL, &count, &next_ms, err);
        look->found += rc == 0 ? count : 0;
    }
    look->ns = (bench_now_ns() - start) / LOOKS;
    return rc;
}

int main(int argc, char **argv)
{
    struct store_options options = {.map_size = MAP_BYTES, .allow_volatile = true};
    struct samples samples = {0};
    struct err err = {0};
    struct look look = {0};
    struct store *store;
    uint64_t count;

    if (argc != 4)
        bench_die("usage: kms-bench-due DIRECTORY AGENT_ID COUNT");
    options.directory = argv[1];
    count = bench_number(argv[3], 1);
    errno = 0;
    if (store_open(&options, argv[2], &store, &err) != 0)
        bench_die("%s", err.message);
    thread_role = THREAD_WORKER;
    for (uint64_t i = 0; i < count; i++) {
        if (store_run(store, apply, &look, false, &err) != 0)
            bench_die("%s", err.message);
        if (look.found > 0)
            bench_die("%zu leases are due", look.found);
        samples_add(&samples, look.ns);
    }
    store_close(store);
    printf("count=%zu p50_ns=%llu p99_ns=%llu\n", samples.count,
           (unsigned long long)samples_at(&samples, 0.5),
           (unsigned long long)samples_at(&samples, 0.99));
    samples_free(&samples);
    return 0;
}
