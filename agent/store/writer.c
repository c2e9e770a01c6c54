/* SPDX-License-Identifier: Apache-2.0 */
#include "store/writer.h"

#include "base/clock.h"
#include "base/thread_role.h"
#include "store/batch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

static struct timespec from_now(int64_t ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

void writer_submit(struct writer *writer, struct store_op *op)
{
    bool wake;

    op->rc = 0;
    err_clear(&op->err);
    pthread_mutex_lock(&writer->mutex);
    if (!op->lazy)
        writer->prompt++;
    else if (writer->queue.count == writer->prompt)
        writer->lazy_until = from_now(WRITER_LAZY_MS);
    queue_push(&writer->queue, &op->link);
    /* A lazy one wakes it too, to wait shorter: only the first does. */
    wake = writer->waiting && (!op->lazy || writer->queue.count == 1);
    if (wake)
        writer->waiting = false;
    pthread_mutex_unlock(&writer->mutex);
    if (wake)
        pthread_cond_signal(&writer->wake);
}

/* Under mutex: waits for an operation that is not to be held back, a stop or the idle time. */
static void wait_for_work(struct writer *writer)
{
    const struct timespec idle_until = from_now(WRITER_IDLE_MS);

    while (!writer->stop && writer->prompt == 0) {
        bool lazy = writer->queue.count > 0;

        writer->waiting = true;
        if (pthread_cond_timedwait(&writer->wake, &writer->mutex,
                                   lazy ? &writer->lazy_until : &idle_until) == ETIMEDOUT)
            break;
    }
    writer->waiting = false;
}

/* Moves what is queued into the batch. False: stop, all is done. */
static bool take(struct writer *writer)
{
    struct queue_link *link;
    bool stop;

    writer->batch_count = 0;
    pthread_mutex_lock(&writer->mutex);
    wait_for_work(writer);
    while (writer->batch_count < WRITER_BATCH_MAX && (link = queue_pop(&writer->queue)) != NULL) {
        struct store_op *op = QUEUE_OF(link, struct store_op, link);

        writer->batch[writer->batch_count++] = op;
        writer->prompt -= !op->lazy;
    }
    stop = writer->stop && writer->batch_count == 0;
    pthread_mutex_unlock(&writer->mutex);
    return !stop;
}

/* Readers that died keep pages from being used again. */
static void look_after(struct writer *writer)
{
    int64_t now_ms = clock_boot_ms();
    int dead;

    if (now_ms - writer->checked_ms < WRITER_IDLE_MS)
        return;
    writer->checked_ms = now_ms;
    (void)mdb_reader_check(writer->env->mdb, &dead);
    space_watch(writer->space, true);
}

static void *writer_main(void *arg)
{
    struct writer *writer = arg;

    thread_role = THREAD_STORE;
    while (take(writer)) {
        if (!writer->failed)
            look_after(writer);
        batch_run(writer);
        atomic_fetch_add(&writer->operations, writer->batch_count);
        /* done() may free the operation, and the count is read before: nothing of op is touched
         * afterwards. */
        for (size_t i = 0; i < writer->batch_count; i++)
            if (writer->batch[i]->done != NULL)
                writer->batch[i]->done(writer->batch[i]);
    }
    return NULL;
}

static int start_thread(struct writer *writer)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&writer->thread, NULL, writer_main, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_setname_np(writer->thread, "store");
    return rc;
}

int writer_start(struct writer *writer, const struct env *env, struct space *space,
                 const struct store_options *options, struct err *err)
{
    pthread_condattr_t attr;
    int rc;

    memset(writer, 0, sizeof *writer);
    writer->env = env;
    writer->space = space;
    writer->options = *options;
    writer->options.directory = NULL;
    writer->checked_ms = clock_boot_ms();
    queue_init(&writer->queue);
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->wake, &attr);
    pthread_condattr_destroy(&attr);
    rc = start_thread(writer);
    if (rc == 0)
        return 0;
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->mutex);
    return err_set(err, KMS_ESTORE, "cannot start the store's thread: %s", strerror(rc));
}

void writer_stop(struct writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    writer->stop = true;
    pthread_mutex_unlock(&writer->mutex);
    pthread_cond_signal(&writer->wake);
    pthread_join(writer->thread, NULL);
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->mutex);
}
