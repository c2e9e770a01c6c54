/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/today.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>

#define REFUSED_MAX 16
#define REFUSED_MS 60000

struct refused {
    struct recipe recipe; /* only where its credentials come from counts */
    struct err why;
    int64_t until_boot_ms; /* 0: no entry */
};

struct today {
    pthread_mutex_t lock;
    struct config *config;
    struct refused refused[REFUSED_MAX];
    size_t next; /* the entry that is overwritten next */
};

int today_new(struct config *config, struct today **ret, struct err *err)
{
    struct today *today = calloc(1, sizeof *today);

    if (today == NULL)
        return err_set(err, KMS_ENOMEM, "no memory for the configuration in force");
    pthread_mutex_init(&today->lock, NULL);
    today->config = config_ref(config);
    *ret = today;
    return 0;
}

void today_free(struct today *today)
{
    if (today == NULL)
        return;
    config_unref(today->config);
    pthread_mutex_destroy(&today->lock);
    free(today);
}

void today_set(struct today *today, struct config *config)
{
    struct config *old;

    pthread_mutex_lock(&today->lock);
    old = today->config;
    today->config = config_ref(config);
    for (size_t i = 0; i < REFUSED_MAX; i++)
        today->refused[i].until_boot_ms = 0;
    pthread_mutex_unlock(&today->lock);
    config_unref(old);
}

struct config *today_config(struct today *today)
{
    struct config *config;

    pthread_mutex_lock(&today->lock);
    config = config_ref(today->config);
    pthread_mutex_unlock(&today->lock);
    return config;
}

static struct refused *find(struct today *today, const struct recipe *recipe)
{
    for (size_t i = 0; i < REFUSED_MAX; i++)
        if (today->refused[i].until_boot_ms > clock_boot_ms() &&
            recipe_same_source(&today->refused[i].recipe, recipe))
            return &today->refused[i];
    return NULL;
}

void today_note_refused(struct today *today, const struct recipe *recipe, const struct err *why)
{
    struct refused *entry;

    pthread_mutex_lock(&today->lock);
    entry = find(today, recipe);
    if (entry == NULL) {
        entry = &today->refused[today->next];
        today->next = (today->next + 1) % REFUSED_MAX;
    }
    entry->recipe = *recipe;
    entry->why = *why;
    entry->until_boot_ms = clock_boot_ms() + REFUSED_MS;
    pthread_mutex_unlock(&today->lock);
}

bool today_is_refused(struct today *today, const struct recipe *recipe, struct err *ret)
{
    const struct refused *entry;

    pthread_mutex_lock(&today->lock);
    entry = find(today, recipe);
    if (entry != NULL)
        *ret = entry->why;
    pthread_mutex_unlock(&today->lock);
    return entry != NULL;
}
