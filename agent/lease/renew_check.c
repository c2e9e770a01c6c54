/* SPDX-License-Identifier: Apache-2.0 */
/* A renewal prolongs what was granted; it must not be a way around what the configuration and its
 * rules grant today. */
#include "lease/renew_private.h"

#include "base/clock.h"
#include "lease/identity.h"

#include <stdio.h>
#include <string.h>

/* For a renewal by the agent nobody stands in front of it: its owner as the record has it is judged
 * by today's rules. Of more groups than the record keeps, and of records that keep none, the rule
 * that granted speaks. */
static bool owner_may(const struct lease_owner *owner, const struct rule_list *allow)
{
    const struct peer_facts facts = {
        .uid = owner->uid,
        .gid = owner->gid,
        .groups = owner->groups.ids,
        .group_count =
            owner->groups.count < LEASE_GROUPS_MAX ? owner->groups.count : LEASE_GROUPS_MAX,
        .unit = owner->unit[0] != '\0' ? owner->unit : NULL,
    };

    if (policy_match(allow, &facts) != NULL)
        return true;
    for (size_t i = 0; i < allow->count; i++)
        if (strcmp(allow->rules[i].text, owner->rule) == 0)
            return true;
    return false;
}

static int refuse(struct renew *renew, const char *why)
{
    renew->progress->for_good = true;
    return err_set(&renew->err, KMS_ENORENEW, "secret \"%s\" %s", renew->lease.secret, why);
}

int renew_check_today(struct renew *renew)
{
    const struct secret_config *secret = renew->progress->secret;
    const char *option, *other;
    char why[128];

    if (secret == NULL)
        return refuse(renew, "is not configured any more");
    if (renew->by_agent && !owner_may(&renew->lease.owner, &secret->allow))
        return refuse(renew, "does not allow the owner of this lease any more");
    option = recipe_difference(&renew->lease.recipe, &secret->recipe);
    if (option == NULL)
        return 0;
    other = option[strlen(option) - 1] == 's' ? "other" : "another";
    snprintf(why, sizeof why, "has %s %s now than this lease was made with; issue a new one", other,
             option);
    return refuse(renew, why);
}

static int refuse_key(struct renew *renew, const char *made_by, const char *now)
{
    renew->progress->for_good = true;
    return err_set(&renew->err, KMS_ENORENEW,
                   "the management key of secret \"%s\" is one of %s now, and this lease was made "
                   "with one of %s; issue a new one",
                   renew->lease.secret, now, made_by);
}

/* The same words may lead to another key by now. A role is of one account; for a session the
 * management user is asked for, whose session it would be. A user made in another account is not
 * found there, so its account is compared only where it is known anyhow. */
int renew_check_key(struct renew *renew)
{
    const struct lease *lease = &renew->lease;
    struct aws_access *access = &renew->progress->access;
    struct sts_identity identity;
    int rc;

    if (lease->recipe.method != SECRET_ACCESS_KEY || lease->account_id[0] == '\0')
        return 0;
    if (lease->recipe.type == CREDENTIAL_IAM_USER) {
        const char *account = access->credential.account_id;

        return account[0] == '\0' || strcmp(account, lease->account_id) == 0
                   ? 0
                   : refuse_key(renew, lease->account_id, account);
    }
    rc = identity_of(renew->env, &access->target, &identity, &renew->err);
    if (rc == 0 && lease->arn[0] != '\0' && strcmp(identity.arn, lease->arn) != 0)
        return refuse_key(renew, lease->arn, identity.arn);
    if (rc == 0 && strcmp(identity.account_id, lease->account_id) != 0)
        return refuse_key(renew, lease->account_id, identity.account_id);
    if (rc == 0)
        return 0;
    if (access->forced)
        return rc;
    aws_access_refetch(access); /* it may have been replaced */
    renew->job.wake_ms = clock_boot_ms();
    return KMS_EAGAIN;
}
