/* SPDX-License-Identifier: Apache-2.0 */
/* Rate budgets of AWS calls: a token bucket per (account or management identity, service), adaptive: halves on
 * Throttling, recovers by a tenth of the full rate each second without one. Early revocations first, then phase one,
 * clean-up and mints share, a mint begins only while none that has begun waits (what is half made is finished first), the
 * slow lane gets at most a tenth. Any thread; never waits: tells when to come back. */
#ifndef KMS_AGENT_JOB_BUDGET_H
#define KMS_AGENT_JOB_BUDGET_H

#include <stdint.h>

enum budget_class { BUDGET_EARLY_REVOKE, BUDGET_REVOKE, BUDGET_CLEANUP, BUDGET_MINT, BUDGET_MINT_START, BUDGET_SLOW, BUDGET_CLASS_COUNT };

struct budget;
/* rate: calls a second; burst: calls at once. NULL when out of memory. */
struct budget *budget_new(double rate, double burst);
void budget_free(struct budget *budget);
void budget_set_rate(struct budget *budget, double rate, double burst);
/* Takes one call's worth: 0, or KMS_EAGAIN with *ret_wake_ms (boot clock) when to ask again. A refused caller of a
 * higher class is remembered for a moment, and lower classes are refused meanwhile. */
int budget_take(struct budget *budget, enum budget_class budget_class, int64_t now_boot_ms, int64_t *ret_wake_ms);
/* AWS answered Throttling. */
void budget_throttled(struct budget *budget, int64_t now_boot_ms);
/* Calls a second at present. */
double budget_rate(struct budget *budget, int64_t now_boot_ms);

/* Budgets by key (account id, or management key id while the account is unknown), made on first use with the set's
 * rate; at most 64, then all further keys share one. Any thread. */
struct budget_set;
struct budget_set *budget_set_new(double rate, double burst);
void budget_set_free(struct budget_set *set);
/* Rates of existing and future budgets (reload). */
void budget_set_rate_all(struct budget_set *set, double rate, double burst);
/* Calls each for every budget there is; key "" for the one of keys beyond the limit. each must not call the set. */
void budget_set_each(struct budget_set *set, void (*each)(const char *key, struct budget *budget, void *arg), void *arg);
/* Never NULL; belongs to the set. */
struct budget *budget_set_get(struct budget_set *set, const char *key);

#endif
