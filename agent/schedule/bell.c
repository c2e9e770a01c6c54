/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/bell.h"

#include "base/thread_role.h"

#include <pthread.h>
#include <stdlib.h>

struct bell {
    struct mail mail;
    struct bell *next;
    void *owner; /* under lock; NULL: gone, the mail that is on its way frees the bell */
    struct mailbox *mailbox;
    void (*rung)(void *owner);
    bool ringing; /* under lock: the mail is on its way */
};

/* The one list of bells (there is one scheduler, tests have several): its lock outlives them all.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bell *bells;

static void on_mail(struct mail *mail)
{
    struct bell *bell = QUEUE_OF(mail, struct bell, mail);
    void *owner;

    pthread_mutex_lock(&lock);
    bell->ringing = false;
    owner = bell->owner;
    pthread_mutex_unlock(&lock);
    if (owner != NULL)
        bell->rung(owner);
    else
        free(bell);
}

struct bell *bell_new(void *owner, struct mailbox *mailbox, void (*rung)(void *owner))
{
    struct bell *bell = calloc(1, sizeof *bell);

    if (bell == NULL)
        return NULL;
    bell->mail.deliver = on_mail;
    bell->owner = owner;
    bell->mailbox = mailbox;
    bell->rung = rung;
    pthread_mutex_lock(&lock);
    bell->next = bells;
    bells = bell;
    pthread_mutex_unlock(&lock);
    return bell;
}

void bell_free(struct bell *bell)
{
    bool ringing;

    if (bell == NULL)
        return;
    ASSERT_ON_LOOP();
    pthread_mutex_lock(&lock);
    for (struct bell **link = &bells; *link != NULL; link = &(*link)->next) {
        if (*link == bell) {
            *link = bell->next;
            break;
        }
    }
    bell->owner = NULL;
    ringing = bell->ringing;
    pthread_mutex_unlock(&lock);
    if (!ringing)
        free(bell);
}

void bell_ring(void *owner)
{
    pthread_mutex_lock(&lock);
    for (struct bell *bell = bells; bell != NULL; bell = bell->next) {
        if (bell->owner == owner && !bell->ringing) {
            bell->ringing = true;
            mailbox_post(bell->mailbox, &bell->mail);
        }
    }
    pthread_mutex_unlock(&lock);
}
