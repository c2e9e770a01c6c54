/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 4096 /* a power of two; labels come from configuration and AWS's closed lists */
#define PROBES 64

/* Made whole, then published, then never changed but for its value. */
struct counter {
    enum metric metric;
    char label[METRIC_LABEL_MAX], label2[METRIC_LABEL_MAX];
    _Atomic uint64_t value;
};

static _Atomic(struct counter *) slots[SLOTS];
static struct counter others[METRIC_COUNT]; /* for what finds no room */
static struct latency {
    _Atomic uint64_t buckets[METRIC_BUCKETS], count, sum_ms;
} latencies[METRIC_SERVICES];

const int64_t metric_bucket_ms[METRIC_BUCKETS - 1] = {10, 25, 50, 100, 250, 500, 1000, 2500, 10000};

/* FNV-1a. */
static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return (hash ^ 0xff) * 16777619u;
}

static struct counter *counter_new(enum metric metric, const char *label, const char *label2)
{
    struct counter *counter = calloc(1, sizeof *counter);

    if (counter == NULL)
        return NULL;
    counter->metric = metric;
    snprintf(counter->label, sizeof counter->label, "%s", label);
    snprintf(counter->label2, sizeof counter->label2, "%s", label2);
    return counter;
}

static bool counter_is(const struct counter *counter, enum metric metric, const char *label,
                       const char *label2)
{
    return counter->metric == metric && strncmp(counter->label, label, METRIC_LABEL_MAX - 1) == 0 &&
           strncmp(counter->label2, label2, METRIC_LABEL_MAX - 1) == 0;
}

/* The counter in an empty slot: made here, or by another thread meanwhile. NULL: no memory. */
static struct counter *fill_slot(_Atomic(struct counter *) *slot, enum metric metric,
                                 const char *label, const char *label2)
{
    struct counter *made = counter_new(metric, label, label2), *there = NULL;

    if (made == NULL || atomic_compare_exchange_strong(slot, &there, made))
        return made;
    free(made);
    return there;
}

static struct counter *find(enum metric metric, const char *label, const char *label2)
{
    uint32_t at = hash_text(hash_text(2166136261u + (uint32_t)metric, label), label2);

    for (unsigned i = 0; i < PROBES; i++) {
        _Atomic(struct counter *) *slot = &slots[(at + i) % SLOTS];
        struct counter *counter = atomic_load(slot);

        if (counter == NULL)
            counter = fill_slot(slot, metric, label, label2);
        if (counter == NULL)
            break;
        if (counter_is(counter, metric, label, label2))
            return counter;
    }
    return &others[metric];
}

void metrics_count(enum metric metric, const char *label, const char *label2)
{
    struct counter *counter =
        find(metric, label != NULL ? label : "", label2 != NULL ? label2 : "");

    atomic_fetch_add_explicit(&counter->value, 1, memory_order_relaxed);
}

void metrics_latency(unsigned service, int64_t ms)
{
    struct latency *latency = &latencies[service];
    unsigned i = 0;

    if (ms < 0) /* the clock was set meanwhile */
        ms = 0;
    while (i < METRIC_BUCKETS - 1 && ms > metric_bucket_ms[i])
        i++;
    atomic_fetch_add_explicit(&latency->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&latency->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&latency->sum_ms, (uint64_t)ms, memory_order_relaxed);
}

void metrics_each(void (*each)(enum metric metric, const char *label, const char *label2,
                               uint64_t value, void *arg),
                  void *arg)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct counter *counter = atomic_load(&slots[i]);

        if (counter != NULL && atomic_load(&counter->value) > 0)
            each(counter->metric, counter->label, counter->label2, atomic_load(&counter->value),
                 arg);
    }
    for (int i = 0; i < METRIC_COUNT; i++)
        if (atomic_load(&others[i].value) > 0)
            each((enum metric)i, "other", "other", atomic_load(&others[i].value), arg);
}

void metrics_read_latency(unsigned service, struct metric_latency *ret)
{
    struct latency *latency = &latencies[service];

    *ret = (struct metric_latency){.sum_ms = atomic_load(&latency->sum_ms)};
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        ret->buckets[i] = atomic_load(&latency->buckets[i]);
        ret->count += ret->buckets[i];
    }
}
