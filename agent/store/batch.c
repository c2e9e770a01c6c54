/* SPDX-License-Identifier: Apache-2.0 */
#include "store/batch.h"

#include "base/crash_point.h"
#include "store/txn.h"

#include <errno.h>
#include <stdlib.h>

#define RESTARTS_MAX 4 /* of a shared transaction; then one by one */

enum fate {
    FATE_PENDING, /* no answer yet */
    FATE_ALONE,   /* failed after a change: runs by itself, after the others */
    FATE_DONE,
};

static void set_failure(struct writer *writer, struct store_op *op, int rc, const char *what)
{
    op->rc = env_error(writer->env, rc, what, &op->err);
}

/* Whoever reads of a full map should read of the process that keeps it full. */
static void name_reader(struct writer *writer, struct store_op *op)
{
    const struct space_figures *figures = &writer->space->figures;

    if (op->rc == KMS_ESTOREFULL && op->err.hint[0] == '\0' && figures->reader_pid != 0)
        err_hint(&op->err,
                 "process %d has a read transaction open since %llu commits and keeps their pages: "
                 "end it",
                 figures->reader_pid, (unsigned long long)figures->reader_behind);
}

/* Says so once, and never commits again: after a failed fsync the kernel may have dropped dirty
 * pages, and the next commit would succeed on top of the hole (libraries.md, LMDB). */
static void fail_for_good(struct writer *writer, int rc, const char *what)
{
    struct err err;

    if (writer->failed)
        return;
    writer->failed = true;
    err_clear(&err);
    env_error(writer->env, rc, what, &err);
    if (writer->options.on_fatal == NULL)
        abort();
    writer->options.on_fatal(&err, writer->options.arg);
}

static void answer_rest(struct writer *writer, int rc, const char *what)
{
    for (size_t i = 0; i < writer->batch_count; i++) {
        struct store_op *op = writer->batch[i];

        if (writer->fate[i] == FATE_DONE)
            continue;
        op->rc = err_set(&op->err, KMS_ESTORE, "the lease store in %s stopped: %s: %s",
                         writer->env->directory.path, what, mdb_strerror(rc));
        writer->fate[i] = FATE_DONE;
    }
}

static int begin(struct writer *writer, struct store_txn *txn)
{
    *txn =
        (struct store_txn){.env = writer->env, .space = writer->space, .scratch = writer->scratch};
    return mdb_txn_begin(writer->env->mdb, NULL, 0, &txn->mdb);
}

/* Runs one operation; false: the transaction cannot be committed any more (it changed something and
 * then failed, or LMDB failed). */
static bool apply(struct store_txn *txn, struct store_op *op)
{
    txn->urgent = op->urgent;
    txn->wrote = false;
    err_clear(&op->err);
    op->rc = op->apply(txn, op->arg, &op->err);
    if (txn->failure != 0) {
        if (op->rc == 0) /* it ignored the failure; its changes are gone all the same */
            op->rc = env_error(txn->env, txn->failure, "cannot write", &op->err);
        return false;
    }
    if (op->rc != 0 && op->err.code == 0)
        err_set(&op->err, op->rc, "the change was refused");
    return op->rc == 0 || !txn->wrote;
}

/* Commits or, if nothing changed, just ends. Returns LMDB's result. */
static int commit(struct writer *writer, struct store_txn *txn, bool changed)
{
    int rc = 0;

    if (!changed) {
        mdb_txn_abort(txn->mdb);
        return 0;
    }
    writer->attempts++;
    if (writer->options.commit_fault != NULL)
        rc = writer->options.commit_fault(writer->attempts, writer->options.arg);
    if (rc != 0) {
        mdb_txn_abort(txn->mdb);
        return rc;
    }
    crash_point("store_commit_before");
    rc = mdb_txn_commit(txn->mdb);
    crash_point("store_commit_after");
    if (rc != 0)
        return rc;
    atomic_fetch_add(&writer->commits, 1);
    space_note_commit(writer->space);
    return 0;
}

/* An operation in a transaction of its own: its answer is final. */
static void run_alone(struct writer *writer, size_t index)
{
    struct store_op *op = writer->batch[index];
    struct store_txn txn;
    int rc = begin(writer, &txn);

    if (rc != 0) {
        set_failure(writer, op, rc, "cannot begin");
    } else if (apply(&txn, op)) {
        rc = commit(writer, &txn, txn.wrote);
        if (rc != 0)
            set_failure(writer, op, rc, "cannot commit");
    } else {
        rc = txn.failure;
        mdb_txn_abort(txn.mdb);
    }
    if (rc != 0 && env_rc_is_fatal(rc)) {
        fail_for_good(writer, rc, "cannot commit");
        answer_rest(writer, rc, "cannot commit");
        return;
    }
    writer->fate[index] = FATE_DONE;
    if (rc != 0)
        space_watch(writer->space, true);
    name_reader(writer, op);
}

static void run_one_by_one(struct writer *writer, bool urgent)
{
    for (size_t i = 0; i < writer->batch_count && !writer->failed; i++)
        if (writer->fate[i] != FATE_DONE && writer->batch[i]->urgent == urgent)
            run_alone(writer, i);
}

enum outcome { SHARED_COMMITTED, SHARED_RESTART, SHARED_SPOILED };

/* Applies all pending operations; SHARED_COMMITTED here means: ready to commit. */
static enum outcome apply_pending(struct writer *writer, struct store_txn *txn, bool *ret_changed)
{
    *ret_changed = false;
    for (size_t i = 0; i < writer->batch_count; i++) {
        if (writer->fate[i] != FATE_PENDING)
            continue;
        if (!apply(txn, writer->batch[i])) {
            if (txn->failure == 0)
                writer->fate[i] = FATE_ALONE;
            return txn->failure == 0 ? SHARED_RESTART : SHARED_SPOILED;
        }
        *ret_changed = *ret_changed || txn->wrote;
    }
    return SHARED_COMMITTED;
}

/* One transaction for all pending operations. *ret_rc: LMDB's failure. */
static enum outcome run_shared(struct writer *writer, int *ret_rc)
{
    struct store_txn txn;
    enum outcome outcome;
    bool changed;

    *ret_rc = begin(writer, &txn);
    if (*ret_rc != 0)
        return SHARED_SPOILED;
    outcome = apply_pending(writer, &txn, &changed);
    if (outcome != SHARED_COMMITTED) {
        *ret_rc = txn.failure;
        mdb_txn_abort(txn.mdb);
        return outcome;
    }
    *ret_rc = commit(writer, &txn, changed);
    if (*ret_rc != 0)
        return SHARED_SPOILED;
    for (size_t i = 0; i < writer->batch_count; i++)
        if (writer->fate[i] == FATE_PENDING)
            writer->fate[i] = FATE_DONE;
    return outcome;
}

void batch_run(struct writer *writer)
{
    enum outcome outcome = SHARED_RESTART;
    int rc = 0;

    for (size_t i = 0; i < writer->batch_count; i++)
        writer->fate[i] = FATE_PENDING;
    if (writer->failed) {
        answer_rest(writer, EIO, "it failed before");
        return;
    }
    if (writer->batch_count == 0)
        return;
    space_watch(writer->space, false);
    for (int i = 0; i < RESTARTS_MAX && outcome == SHARED_RESTART && writer->batch_count > 1; i++)
        outcome = run_shared(writer, &rc);
    if (rc != 0 && env_rc_is_fatal(rc)) {
        fail_for_good(writer, rc, "cannot commit");
        answer_rest(writer, rc, "cannot commit");
        return;
    }
    if (outcome == SHARED_SPOILED)
        space_watch(writer->space, true);
    run_one_by_one(writer, true);
    run_one_by_one(writer, false);
}
