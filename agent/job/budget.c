/* SPDX-License-Identifier: Apache-2.0 */
#include "job/budget.h"

#include "common/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define FLOOR_SHARE 0.05    /* of the full rate: throttling never stops the agent */
#define RECOVERY_SHARE 0.1  /* of the full rate, each second without throttling */
#define HALVING_GAP_MS 1000 /* answers to one burst of calls halve the rate once */
#define SLOW_SHARE 0.1      /* of the rate, for the slow class */
#define WAKE_MAX_MS 2000    /* nobody sleeps longer: the rate may rise meanwhile */
#define MEMORY_MS 250    /* a refused caller may come back this late and still find its turn kept */
#define SHARE_LEAD_MAX 2 /* calls that clean-up may be ahead of mints, or mints of clean-up */

struct bucket {
    double tokens;
    double burst;
};

struct budget {
    pthread_mutex_t lock;
    double full_rate, rate; /* calls a second: configured, at present */
    double full_burst;
    struct bucket all, slow;
    int64_t updated_ms, halved_ms;
    int64_t
        last_wake_ms[BUDGET_CLASS_COUNT]; /* latest time given to a refused caller of the class */
    int lead;                             /* clean-up calls minus mint calls while both want more */
};

/* Classes of equal rank share; a lower number goes first. */
static const int rank[BUDGET_CLASS_COUNT] = {
    [BUDGET_EARLY_REVOKE] = 0, [BUDGET_REVOKE] = 1,     [BUDGET_CLEANUP] = 2,
    [BUDGET_MINT] = 2,         [BUDGET_MINT_START] = 2, [BUDGET_SLOW] = 3};

struct budget *budget_new(double rate, double burst)
{
    struct budget *budget = calloc(1, sizeof *budget);

    if (budget == NULL)
        return NULL;
    pthread_mutex_init(&budget->lock, NULL);
    budget->updated_ms = budget->halved_ms = INT64_MIN;
    budget_set_rate(budget, rate, burst);
    budget->all.tokens = budget->full_burst;
    budget->slow.tokens = 1;
    return budget;
}

void budget_free(struct budget *budget)
{
    if (budget == NULL)
        return;
    pthread_mutex_destroy(&budget->lock);
    free(budget);
}

void budget_set_rate(struct budget *budget, double rate, double burst)
{
    pthread_mutex_lock(&budget->lock);
    if (rate < 0.01)
        rate = 0.01;
    budget->rate = budget->full_rate > 0 ? rate * (budget->rate / budget->full_rate) : rate;
    budget->full_rate = rate;
    budget->full_burst = burst < 1 ? 1 : burst;
    budget->slow.burst = 1;
    pthread_mutex_unlock(&budget->lock);
}

static void bucket_fill(struct bucket *bucket, double tokens)
{
    bucket->tokens += tokens;
    if (bucket->tokens > bucket->burst)
        bucket->tokens = bucket->burst;
}

/* Brings rate and tokens up to now. */
static void budget_update(struct budget *budget, int64_t now_ms)
{
    double seconds, share;

    if (budget->updated_ms == INT64_MIN)
        budget->updated_ms = now_ms;
    if (now_ms <= budget->updated_ms)
        return;
    seconds = (double)(now_ms - budget->updated_ms) / 1000;
    budget->updated_ms = now_ms;
    budget->rate += RECOVERY_SHARE * budget->full_rate * seconds;
    if (budget->rate > budget->full_rate)
        budget->rate = budget->full_rate;
    share = budget->full_burst * budget->rate / budget->full_rate;
    budget->all.burst = share < 1 ? 1 : share;
    bucket_fill(&budget->all, budget->rate * seconds);
    bucket_fill(&budget->slow, SLOW_SHARE * budget->rate * seconds);
}

/* A caller of the class was refused and is expected back. */
static bool budget_expects(const struct budget *budget, int class_, int64_t now_ms)
{
    return budget->last_wake_ms[class_] > 0 && now_ms < budget->last_wake_ms[class_] + MEMORY_MS;
}

static bool budget_higher_waits(const struct budget *budget, int class_, int64_t now_ms)
{
    for (int i = 0; i < BUDGET_CLASS_COUNT; i++)
        if (rank[i] < rank[class_] && budget_expects(budget, i, now_ms))
            return true;
    return false;
}

/* Which side of the sharing a class is on: clean-up 1, mints -1, the rest 0. */
static int budget_side(int class_)
{
    if (class_ == BUDGET_CLEANUP)
        return 1;
    return class_ == BUDGET_MINT || class_ == BUDGET_MINT_START ? -1 : 0;
}

static bool budget_partner_waits(const struct budget *budget, int side, int64_t now_ms)
{
    if (side < 0)
        return budget_expects(budget, BUDGET_CLEANUP, now_ms);
    return budget_expects(budget, BUDGET_MINT, now_ms) ||
           budget_expects(budget, BUDGET_MINT_START, now_ms);
}

/* While both sharing classes want more than there is, neither runs away. */
static bool budget_share_used(struct budget *budget, int class_, int64_t now_ms)
{
    int side = budget_side(class_);

    if (side == 0)
        return false;
    if (!budget_partner_waits(budget, side, now_ms)) {
        budget->lead = 0;
        return false;
    }
    return side * budget->lead >= SHARE_LEAD_MAX;
}

/* When to come back: refused callers get turns one after the other, so that they do not all return
 * for one token. */
static int64_t budget_wake(struct budget *budget, int class_, int64_t now_ms)
{
    double rate = class_ == BUDGET_SLOW ? SLOW_SHARE * budget->rate : budget->rate;
    double missing = 1 - (class_ == BUDGET_SLOW && budget->slow.tokens < 1 ? budget->slow.tokens
                                                                           : budget->all.tokens);
    int64_t gap_ms = (int64_t)(1000 / rate) + 1;
    int64_t wake_ms = now_ms + (missing > 0 ? 1 + (int64_t)(1000 * missing / rate) : gap_ms);
    int64_t turn_ms = budget->last_wake_ms[class_] + gap_ms;

    if (turn_ms > wake_ms && budget->last_wake_ms[class_] > now_ms)
        wake_ms = turn_ms;
    if (wake_ms > now_ms + WAKE_MAX_MS)
        wake_ms = now_ms + WAKE_MAX_MS;
    if (wake_ms > budget->last_wake_ms[class_])
        budget->last_wake_ms[class_] = wake_ms;
    return wake_ms;
}

int budget_take(struct budget *budget, enum budget_class budget_class, int64_t now_boot_ms,
                int64_t *ret_wake_ms)
{
    int class_ = (int)budget_class, rc = 0;

    pthread_mutex_lock(&budget->lock);
    budget_update(budget, now_boot_ms);
    if (budget_higher_waits(budget, class_, now_boot_ms) || budget->all.tokens < 1 ||
        (class_ == BUDGET_SLOW && budget->slow.tokens < 1) ||
        (class_ == BUDGET_MINT_START && budget_expects(budget, BUDGET_MINT, now_boot_ms)) ||
        budget_share_used(budget, class_, now_boot_ms)) {
        *ret_wake_ms = budget_wake(budget, class_, now_boot_ms);
        rc = KMS_EAGAIN;
    } else {
        budget->all.tokens -= 1;
        if (class_ == BUDGET_SLOW)
            budget->slow.tokens -= 1;
        budget->lead += budget_side(class_);
    }
    pthread_mutex_unlock(&budget->lock);
    return rc;
}

void budget_throttled(struct budget *budget, int64_t now_boot_ms)
{
    pthread_mutex_lock(&budget->lock);
    budget_update(budget, now_boot_ms);
    if (budget->halved_ms == INT64_MIN || now_boot_ms - budget->halved_ms >= HALVING_GAP_MS) {
        budget->halved_ms = now_boot_ms;
        budget->rate /= 2;
        if (budget->rate < FLOOR_SHARE * budget->full_rate)
            budget->rate = FLOOR_SHARE * budget->full_rate;
    }
    /* What was saved up is what AWS has just refused. */
    budget->all.tokens = 0;
    pthread_mutex_unlock(&budget->lock);
}

double budget_rate(struct budget *budget, int64_t now_boot_ms)
{
    double rate;

    pthread_mutex_lock(&budget->lock);
    budget_update(budget, now_boot_ms);
    rate = budget->rate;
    pthread_mutex_unlock(&budget->lock);
    return rate;
}
