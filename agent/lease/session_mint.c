/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/session_mint.h"

#include "aws/sts.h"
#include "common/timefmt.h"
#include "model/fence.h"
#include "model/name.h"
#include "model/ttl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_TAGS_MAX 50

static void free_text(char **text)
{
    free(*text);
}

/* Session policy as the lease needs it: the dated one, the secret's own, or none. */
static int make_policy(const struct session_mint *mint, char **ret, const char **ret_policy,
                       struct err *err)
{
    const struct secret_config *secret = mint->secret;
    int rc;

    *ret_policy = secret->session_policy_document;
    if (!mint->dated_policy)
        return 0;
    rc = fence_session_document(secret->session_policy_document,
                                secret->session_policy_arns.count > 0, mint->lease->expires_ms, ret,
                                err);
    if (rc == 0)
        *ret_policy = *ret;
    return rc;
}

static int mint_role_session(const struct session_mint *mint, struct aws_access *access,
                             struct aws_credential *ret, char arn[AWS_ARN_MAX + 1],
                             struct aws_result *result, struct err *err)
{
    const struct lease *lease = mint->lease;
    const struct secret_config *secret = mint->secret;
    __attribute__((cleanup(free_text))) char *document = NULL;
    SECRET_CLEANUP struct secret token = {0};
    char name[IAM_USER_NAME_MAX + 1];
    struct iam_tag tags[SESSION_TAGS_MAX];
    struct name_facts facts = {lease->secret, lease->id, lease->owner.uid, lease->owner.pid};
    struct sts_session_request request = {
        .role_arn = lease->recipe.role_arn,
        .session_name = name,
        .external_id = lease->recipe.external_id[0] != '\0' ? lease->recipe.external_id : NULL,
        .policy_arns = (const char *const *)secret->session_policy_arns.items,
        .policy_arn_count = secret->session_policy_arns.count,
        .tags = tags,
        .duration_s = mint->sts_s,
    };
    int rc = make_policy(mint, &document, &request.policy, err);

    if (rc != 0)
        return rc;
    name_render(secret->session_name_template, &facts, name);
    for (size_t i = 0; i < secret->session_tag_count && i < SESSION_TAGS_MAX; i++)
        tags[request.tag_count++] =
            (struct iam_tag){secret->session_tags[i].key, secret->session_tags[i].value};
    if (lease->recipe.method == SECRET_ASSUME_ROLE)
        return sts_assume_role(&access->target, &request, ret, arn, result, err);
    rc = source_web_identity_token(mint->env->sources, &lease->recipe, &token, err);
    if (rc != 0)
        return rc;
    request.web_identity_token = secret_text(&token);
    return sts_assume_role_with_web_identity(&access->target, &request, ret, arn, result, err);
}

/* AWS tells a role's own maximum only by refusing what is above it, with the same code as anything
 * else it finds wrong: whatever it was, an hour is worth one more call. */
static bool lower_duration(struct session_mint *mint, const struct aws_result *result,
                           const struct err *err)
{
    char asked[32], hour[32];

    if (mint->sts_s <= STS_ASSUME_ROLE_MAX_S || result->failure != AWS_FAILED_PERMANENT ||
        strcmp(err->aws_code, "ValidationError") != 0)
        return false;
    duration_format(mint->sts_s * 1000, asked, sizeof asked);
    duration_format(STS_ASSUME_ROLE_MAX_S * 1000, hour, sizeof hour);
    snprintf(mint->lowered, sizeof mint->lowered,
             "the role's MaxSessionDuration is below %s, every role gives %s", asked, hour);
    mint->sts_s = STS_ASSUME_ROLE_MAX_S;
    return true;
}

int session_mint(struct session_mint *mint, struct aws_access *access, struct aws_credential *ret,
                 char arn[AWS_ARN_MAX + 1], struct aws_result *result, struct err *err)
{
    int rc;

    *result = (struct aws_result){0};
    mint->lowered[0] = '\0';
    if (mint->lease->recipe.method == SECRET_ACCESS_KEY)
        return sts_get_session_token(&access->target, mint->sts_s, ret, result, err);
    rc = mint_role_session(mint, access, ret, arn, result, err);
    if (rc == 0 || err == NULL || !lower_duration(mint, result, err))
        return rc;
    *result = (struct aws_result){0};
    err_clear(err);
    return mint_role_session(mint, access, ret, arn, result, err);
}
