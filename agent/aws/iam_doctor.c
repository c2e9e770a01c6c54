/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/iam_doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IAM_VERSION "2010-05-08"

static void simulation_encode(const struct iam_simulation *request, struct query *query)
{
    query_init(query, "SimulatePrincipalPolicy", IAM_VERSION);
    query_add(query, "PolicySourceArn", request->principal_arn);
    for (size_t i = 0; i < request->action_count; i++)
        query_add_member(query, "ActionNames", i + 1, NULL, request->actions[i]);
    for (size_t i = 0; i < request->resource_count; i++)
        query_add_member(query, "ResourceArns", i + 1, NULL, request->resources[i]);
    query_add_int(query, "MaxItems", IAM_SIMULATE_MAX);
    if (request->context.key == NULL)
        return;
    query_add_member(query, "ContextEntries", 1, "ContextKeyName", request->context.key);
    query_add_member(query, "ContextEntries", 1, "ContextKeyType", "string");
    query_add_member(query, "ContextEntries", 1, "ContextKeyValues.member.1",
                     request->context.value);
}

static size_t read_decisions(const struct xml *list, struct iam_decision ret[IAM_SIMULATE_MAX])
{
    size_t n = 0;

    for (const struct xml *member = xml_child(list); member != NULL && n < IAM_SIMULATE_MAX;
         member = xml_next(member)) {
        const char *decision = xml_get(member, "EvalDecision");

        snprintf(ret[n].action, sizeof(ret[n].action), "%s", xml_get(member, "EvalActionName"));
        snprintf(ret[n].resource, sizeof(ret[n].resource), "%s",
                 xml_get(member, "EvalResourceName"));
        ret[n].allowed = strcmp(decision, "allowed") == 0;
        ret[n].explicit_deny = strcmp(decision, "explicitDeny") == 0;
        n++;
    }
    return n;
}

int iam_simulate_principal_policy(const struct aws_target *target,
                                  const struct iam_simulation *request,
                                  struct iam_decision ret[IAM_SIMULATE_MAX], size_t *ret_count,
                                  struct aws_result *result, struct err *err)
{
    struct query query QUERY_CLEANUP;
    struct xml *answer = NULL;
    int rc;

    simulation_encode(request, &query);
    rc = aws_call(target, AWS_IAM, &query, &answer, result, err);
    if (rc == 0) {
        *ret_count = read_decisions(
            xml_find(answer, "SimulatePrincipalPolicyResult/EvaluationResults"), ret);
        if (*ret_count == 0)
            rc = aws_answer_incomplete(&query, result, err);
    }
    xml_free(answer);
    return rc;
}

int iam_get_role(const struct aws_target *target, const char *role_name, struct iam_role *ret,
                 struct aws_result *result, struct err *err)
{
    struct query query QUERY_CLEANUP;
    struct xml *answer = NULL;
    int rc;

    query_init(&query, "GetRole", IAM_VERSION);
    query_add(&query, "RoleName", role_name);
    rc = aws_call(target, AWS_IAM, &query, &answer, result, err);
    if (rc == 0) {
        const char *text = xml_get(answer, "GetRoleResult/Role/MaxSessionDuration");

        if (text[0] == '\0')
            rc = aws_answer_incomplete(&query, result, err);
        else
            ret->max_session_s = strtoll(text, NULL, 10);
        snprintf(ret->arn, sizeof(ret->arn), "%s", xml_get(answer, "GetRoleResult/Role/Arn"));
    }
    xml_free(answer);
    return rc;
}
