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

    revoke->progress->call_began_ms = clock_boot_ms();
    revoke->progress->sent_away =
        !ways_enter(revoke->env->ways, recipe_iam_way(recipe), &revoke->progress->visit);
    if (!revoke->progress->sent_away)
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

/* What IAM takes for good was got from the source, now or earlier, and serves all leases of that
 * source. A credential that stands in is another source's. */
static void note_source(struct revoke *revoke)
{
    const struct revoke_progress *p = revoke->progress;

    if (p->result.status != 0 && p->result.failure != AWS_FAILED_CREDENTIAL && p->stand_in == NULL)
        release(revoke, ways_note(revoke->env->ways, recipe_source_way(&revoke->lease.recipe),
                                  WAY_ANSWERED));
}

void revoke_note_call(struct revoke *revoke)
{
    struct revoke_progress *p = revoke->progress;

    if (p->result.status != 0)
        release(revoke, ways_note(revoke->env->ways, p->visit.way, WAY_ANSWERED));
    p->call_began_ms = clock_boot_ms();
}

void revoke_leave_way(struct revoke *revoke, int rc)
{
    struct revoke_progress *p = revoke->progress;
    enum way_news news = news_of(&p->result, rc, clock_boot_ms() - p->call_began_ms);

    note_source(revoke);
    release(revoke, ways_leave(revoke->env->ways, &p->visit, news));
}

void revoke_note_no_source(struct revoke *revoke)
{
    release(revoke,
            ways_note(revoke->env->ways, recipe_source_way(&revoke->lease.recipe), WAY_TIMED_OUT));
}
