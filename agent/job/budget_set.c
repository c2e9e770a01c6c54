/* SPDX-License-Identifier: Apache-2.0 */
#include "job/budget.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUDGETS_MAX 64

struct budget_entry {
    char *key;
    struct budget *budget;
};

struct budget_set {
    pthread_mutex_t lock;
    double rate, burst;
    struct budget_entry entries[BUDGETS_MAX];
    size_t count;
    struct budget *common; /* for keys beyond the limit, and when memory is short */
};

struct budget_set *budget_set_new(double rate, double burst)
{
    struct budget_set *set = calloc(1, sizeof *set);

    if (set == NULL)
        return NULL;
    set->rate = rate;
    set->burst = burst;
    set->common = budget_new(rate, burst);
    if (set->common == NULL) {
        free(set);
        return NULL;
    }
    pthread_mutex_init(&set->lock, NULL);
    return set;
}

void budget_set_free(struct budget_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++) {
        free(set->entries[i].key);
        budget_free(set->entries[i].budget);
    }
    budget_free(set->common);
    pthread_mutex_destroy(&set->lock);
    free(set);
}

void budget_set_rate_all(struct budget_set *set, double rate, double burst)
{
    pthread_mutex_lock(&set->lock);
    set->rate = rate;
    set->burst = burst;
    for (size_t i = 0; i < set->count; i++)
        budget_set_rate(set->entries[i].budget, rate, burst);
    budget_set_rate(set->common, rate, burst);
    pthread_mutex_unlock(&set->lock);
}

static struct budget *entry_add(struct budget_set *set, const char *key)
{
    struct budget_entry entry = {0};

    if (set->count == BUDGETS_MAX)
        return set->common;
    entry.key = strdup(key);
    entry.budget = budget_new(set->rate, set->burst);
    if (entry.key == NULL || entry.budget == NULL) {
        free(entry.key);
        budget_free(entry.budget);
        return set->common;
    }
    set->entries[set->count++] = entry;
    return entry.budget;
}

struct budget *budget_set_get(struct budget_set *set, const char *key)
{
    struct budget *budget = NULL;

    pthread_mutex_lock(&set->lock);
    for (size_t i = 0; budget == NULL && i < set->count; i++)
        if (strcmp(set->entries[i].key, key) == 0)
            budget = set->entries[i].budget;
    if (budget == NULL)
        budget = entry_add(set, key);
    pthread_mutex_unlock(&set->lock);
    return budget;
}

void budget_set_each(struct budget_set *set,
                     void (*each)(const char *key, struct budget *budget, void *arg), void *arg)
{
    pthread_mutex_lock(&set->lock);
    for (size_t i = 0; i < set->count; i++)
        each(set->entries[i].key, set->entries[i].budget, arg);
    each("", set->common, arg);
    pthread_mutex_unlock(&set->lock);
}
