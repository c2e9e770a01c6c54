/* SPDX-License-Identifier: Apache-2.0 */
/* kms-bench-seed DIRECTORY AGENT_ID COUNT END_S: fills a store with live sessions of a secret that
 * nobody has configured, written as the agent writes them (record, due row, counters). All end
 * END_S seconds from now. Ids are in the order of time. */
#include "bench.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/thread_role.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAP_BYTES (UINT64_C(16) << 30)
#define COMMIT 2000 /* leases of one transaction */

struct part {
    int64_t now_ms, end_ms;
    uint64_t first, count, total;
};

static void fill(const struct part *part, uint64_t number, struct lease *ret)
{
    uint8_t noise[10];

    random_bytes(noise, sizeof noise);
    *ret = (struct lease){
        .state = LEASE_ACTIVE,
        .delivered = true,
        .ready = true,
        .secret = "seeded",
        .recipe = {.method = SECRET_ASSUME_ROLE,
                   .type = CREDENTIAL_SESSION,
                   .access_key_id = "credential:root-id",
                   .secret_access_key = "credential:root-secret",
                   .role_arn = "arn:aws:iam::123456789012:role/seeded",
                   .region = "eu-west-1",
                   .default_ttl_s = 3600,
                   .max_ttl_s = 43200},
        .owner = {.uid = 12345, .gid = 12345, .pid = 4321, .rule = "user:12345", .command = "app"},
        .arn = "arn:aws:sts::123456789012:assumed-role/seeded/kms-seeded",
        .account_id = "123456789012",
        .access_key_id = "ASIAIOSFODNN7EXAMPLE",
        .requested_ttl_s = 3600,
        .granted_ttl_s = 3600,
        .expires_ms = part->end_ms,
        .last_end_ms = part->end_ms,
        .credential_expires_ms = part->end_ms,
    };
    /* The last hour, evenly. */
    ret->created_ms = part->now_ms - 3600000 + (int64_t)(number * 3600000 / part->total);
    ret->id = uuid7_make(ret->created_ms, noise);
}

static int apply(struct store_txn *txn, void *arg, struct err *err)
{
    const struct part *part = arg;
    struct lease lease;
    int rc = 0;

    for (uint64_t i = 0; i < part->count && rc == 0; i++) {
        fill(part, part->first + i, &lease);
        rc = store_put(txn, &lease, err);
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct part part = {.now_ms = clock_wall_ms()};
    struct store_options options = {.map_size = MAP_BYTES, .allow_volatile = true};
    struct err err = {0};
    struct store *store;

    if (argc != 5)
        bench_die("usage: kms-bench-seed DIRECTORY AGENT_ID COUNT END_S");
    options.directory = argv[1];
    part.total = bench_number(argv[3], 1);
    part.end_ms = part.now_ms + (int64_t)bench_number(argv[4], 0) * 1000;
    errno = 0;
    if (store_open(&options, argv[2], &store, &err) != 0)
        bench_die("%s", err.message);
    thread_role = THREAD_WORKER;
    while (part.first < part.total) {
        part.count = part.total - part.first < COMMIT ? part.total - part.first : COMMIT;
        if (store_run(store, apply, &part, true, &err) != 0)
            bench_die("%s", err.message);
        part.first += part.count;
    }
    store_close(store);
    return 0;
}
