/* SPDX-License-Identifier: Apache-2.0 */
/* The writer thread: takes all that is queued, runs it in one transaction, commits, answers.
 *
 * An operation that fails before it changed anything costs nothing. One that fails after a change
 * makes the transaction start over without it, and runs by itself afterwards. When LMDB spoils the
 * transaction (map or disk full: every later call then answers BAD_TXN) all operations run one by
 * one, urgent ones first. An answer is given only for a run whose transaction was committed, or
 * that was undone alone. */
#ifndef KMS_AGENT_STORE_WRITER_H
#define KMS_AGENT_STORE_WRITER_H

#include "store/env.h"
#include "store/record_codec.h"
#include "store/space.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define WRITER_BATCH_MAX 1024 /* operations of one commit */
#define WRITER_IDLE_MS 60000  /* an idle writer looks after dead readers and space this often */
#define WRITER_LAZY_MS 5      /* lazy operations wait this long for one that somebody waits for */

struct writer {
    const struct env *env;
    struct space *space;
    struct store_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct queue queue; /* under mutex, as are the next four */
    bool stop, waiting;
    size_t prompt;              /* operations in the queue that are not lazy */
    struct timespec lazy_until; /* of the oldest lazy one; monotonic; while there is one */
    atomic_uint_least64_t commits, operations;

    /* The thread's own. */
    bool failed;        /* fatal: nothing is committed any more */
    uint64_t attempts;  /* commits tried, for the fault seam */
    int64_t checked_ms; /* readers, boot time */
    struct store_op *batch[WRITER_BATCH_MAX];
    uint8_t fate[WRITER_BATCH_MAX];
    size_t batch_count;
    uint8_t scratch[RECORD_BYTES_MAX];
};

/* Starts the thread. options is copied (its directory is not used). 0, KMS_ESTORE, KMS_ENOMEM. */
int writer_start(struct writer *writer, const struct env *env, struct space *space,
                 const struct store_options *options, struct err *err) KMS_MUST_CHECK;
/* Lets it finish what is queued, and ends it. */
void writer_stop(struct writer *writer);
void writer_submit(struct writer *writer, struct store_op *op);

#endif
