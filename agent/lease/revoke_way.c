/* SPDX-License-Identifier: Apache-2.0 */
/* Where a revocation's calls go: while IAM's endpoint is silent one revocation at a time asks it,
 * and the others come back later without waiting for a timeout each. When it answers again, or what
 * gives the management credential does, those that were put off are released. */
#include "base/clock.h"
#include "job/ways.h"
#include "lease/revoke_private.h"

#define LONG_MS 1000

static void release(struct revoke *revoke, bool silence_ended)
{
    if (silence_ended)
        revoke->env->due_changed(revoke->env->due_changed_arg);
}

int revoke_enter_way(struct revoke *revoke, struct err *err)
{
    const struct recipe *recipe = &revoke->lease.recipe;
    struct endpoint endpoint;

    if (ways_enter(revoke->env->ways, recipe_iam_way(recipe), &revoke->progress->visit))
        return 0;
    return err_set(err, KMS_EAWSDOWN, "%s does not answer; one revocation at a time asks it",
                   endpoint_iam(recipe, &endpoint) == 0 ? endpoint.url : "IAM");
}

static enum way_news news_of(const struct aws_result *result, int rc, int64_t took_ms)
{
    if (result->status != 0)
        return WAY_ANSWERED;
    if (result->failure != AWS_FAILED_TRANSIENT || (rc != KMS_EAWSDOWN && rc != KMS_ETIMEOUT))
        return WAY_NOTHING;
    return took_ms >= LONG_MS ? WAY_TIMED_OUT : WAY_UNANSWERED;
}

void revoke_leave_way(struct revoke *revoke, int rc, int64_t began_ms)
{
    struct revoke_progress *p = revoke->progress;
    enum way_news news = news_of(&p->result, rc, clock_boot_ms() - began_ms);

    release(revoke, ways_leave(revoke->env->ways, &p->visit, news));
}

void revoke_note_source(struct revoke *revoke, bool was)
{
    release(revoke, ways_note(revoke->env->ways, recipe_source_way(&revoke->lease.recipe),
                              was ? WAY_ANSWERED : WAY_TIMED_OUT));
}
