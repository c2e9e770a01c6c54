/* SPDX-License-Identifier: Apache-2.0 */
#include "job/ways.h"

#include <pthread.h>
#include <stdlib.h>

#define WAYS_MAX 128     /* more are never silent */
#define UNANSWERED_MAX 3 /* quick failures in a row: a connection may break once */

struct way {
    uint32_t way; /* 0: free */
    unsigned unanswered;
    bool silent, probed, released;
};

struct ways {
    pthread_mutex_t lock;
    struct way ways[WAYS_MAX];
};

struct ways *ways_new(void)
{
    struct ways *ways = calloc(1, sizeof *ways);

    if (ways != NULL)
        pthread_mutex_init(&ways->lock, NULL);
    return ways;
}

void ways_free(struct ways *ways)
{
    if (ways == NULL)
        return;
    pthread_mutex_destroy(&ways->lock);
    free(ways);
}

/* Only ways of which there is bad news have an entry. */
static struct way *find(struct ways *ways, uint32_t way)
{
    for (unsigned i = 0; i < WAYS_MAX; i++)
        if (ways->ways[i].way == way)
            return &ways->ways[i];
    return NULL;
}

bool ways_enter(struct ways *ways, uint32_t way, struct way_visit *ret)
{
    struct way *found;
    bool enter = true;

    *ret = (struct way_visit){.way = way};
    if (ways == NULL)
        return true;
    pthread_mutex_lock(&ways->lock);
    found = find(ways, way);
    if (found != NULL && found->silent) {
        enter = !found->probed;
        ret->probe = found->probed = true;
    }
    pthread_mutex_unlock(&ways->lock);
    if (!enter)
        *ret = (struct way_visit){0};
    return enter;
}

static bool answered(struct way *way)
{
    bool was_silent = way->silent;

    if (was_silent)
        way->released = true;
    way->silent = way->probed = false;
    way->unanswered = 0;
    if (!way->released)
        *way = (struct way){0};
    return was_silent;
}

static void unanswered(struct ways *ways, uint32_t key, enum way_news news)
{
    struct way *way = find(ways, key);

    if (way == NULL)
        way = find(ways, 0);
    if (way == NULL)
        return;
    way->way = key;
    way->unanswered++;
    if (news == WAY_TIMED_OUT || way->unanswered >= UNANSWERED_MAX)
        way->silent = true;
}

bool ways_leave(struct ways *ways, struct way_visit *visit, enum way_news news)
{
    bool ended = false;
    struct way *way;

    if (ways == NULL || visit->way == 0)
        return false;
    pthread_mutex_lock(&ways->lock);
    way = find(ways, visit->way);
    if (way != NULL && visit->probe)
        way->probed = false;
    if (way != NULL && news == WAY_ANSWERED)
        ended = answered(way);
    else if (news == WAY_UNANSWERED || news == WAY_TIMED_OUT)
        unanswered(ways, visit->way, news);
    pthread_mutex_unlock(&ways->lock);
    *visit = (struct way_visit){0};
    return ended;
}

bool ways_note(struct ways *ways, uint32_t way, enum way_news news)
{
    struct way_visit visit = {.way = way};

    return ways_leave(ways, &visit, news);
}

uint32_t ways_take_released(struct ways *ways)
{
    uint32_t key = 0;

    if (ways == NULL)
        return 0;
    pthread_mutex_lock(&ways->lock);
    for (unsigned i = 0; i < WAYS_MAX && key == 0; i++) {
        struct way *way = &ways->ways[i];

        if (!way->released)
            continue;
        key = way->way;
        way->released = false;
        if (!way->silent && way->unanswered == 0)
            *way = (struct way){0};
    }
    pthread_mutex_unlock(&ways->lock);
    return key;
}
