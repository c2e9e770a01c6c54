/* SPDX-License-Identifier: Apache-2.0 */
#include "job/job.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread_role.h"

/* Mail delivered in one turn of the loop; the sockets come between two turns. */
#define MAILBOX_TURN_MAX 64

struct mailbox {
    pthread_mutex_t lock;
    struct queue queue; /* under lock */
    bool rung;          /* under lock: wake_fd is readable */
    int wake_fd;
    struct event *event;
};

/* Moves at most MAILBOX_TURN_MAX mails to batch. The eventfd stays readable while mail is left:
 * event_active() would run us again before the loop polls its sockets. */
static void mailbox_take(struct mailbox *mailbox, struct queue *batch)
{
    uint64_t count;

    queue_init(batch);
    pthread_mutex_lock(&mailbox->lock);
    while (batch->count < MAILBOX_TURN_MAX && mailbox->queue.first != NULL)
        queue_push(batch, queue_pop(&mailbox->queue));
    if (mailbox->queue.first == NULL && mailbox->rung) {
        mailbox->rung = false;
        (void)!read(mailbox->wake_fd, &count, sizeof count);
    }
    pthread_mutex_unlock(&mailbox->lock);
}

static size_t mailbox_deliver(struct mailbox *mailbox)
{
    struct queue batch;
    struct queue_link *link;
    size_t count = 0;

    mailbox_take(mailbox, &batch);
    while ((link = queue_pop(&batch)) != NULL) {
        struct mail *mail = QUEUE_OF(link, struct mail, link);

        mail->deliver(mail);
        count++;
    }
    return count;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    mailbox_deliver(arg);
}

int mailbox_new(struct event_base *base, struct mailbox **ret, struct err *err)
{
    struct mailbox *mailbox = calloc(1, sizeof *mailbox);

    if (mailbox == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    pthread_mutex_init(&mailbox->lock, NULL);
    queue_init(&mailbox->queue);
    mailbox->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mailbox->wake_fd >= 0)
        mailbox->event = event_new(base, mailbox->wake_fd, EV_READ | EV_PERSIST, on_wake, mailbox);
    if (mailbox->event == NULL || event_add(mailbox->event, NULL) != 0) {
        err_set(err, KMS_EINTERNAL, "cannot make the loop's mailbox: %s", strerror(errno));
        mailbox_free(mailbox);
        return KMS_EINTERNAL;
    }
    *ret = mailbox;
    return 0;
}

void mailbox_free(struct mailbox *mailbox)
{
    if (mailbox == NULL)
        return;
    ASSERT_ON_LOOP();
    while (mailbox_deliver(mailbox) > 0)
        ;
    if (mailbox->event != NULL)
        event_free(mailbox->event);
    if (mailbox->wake_fd >= 0)
        close(mailbox->wake_fd);
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}

void mailbox_post(struct mailbox *mailbox, struct mail *mail)
{
    static const uint64_t one = 1;

    pthread_mutex_lock(&mailbox->lock);
    queue_push(&mailbox->queue, &mail->link);
    if (!mailbox->rung) {
        mailbox->rung = true;
        (void)!write(mailbox->wake_fd, &one, sizeof one);
    }
    pthread_mutex_unlock(&mailbox->lock);
}
