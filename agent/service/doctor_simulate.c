/* SPDX-License-Identifier: Apache-2.0 */
/* Needed permissions, asked of IAM by simulation: nothing is done, only what the policies say. What
 * a simulation cannot see (organization policies, trust policies) may still deny. */
#include "aws/iam_doctor.h"
#include "service/doctor.h"

#include <string.h>

#define EXAMPLE_NAME "kms-doctor" /* a user of this name need not exist */

/* The actions of one statement and what they are asked about. */
struct question {
    const char *actions[LEAST_NEEDS_MAX];
    char arns[IAM_SIMULATE_MAX][LEAST_ARN_SIZE];
    const char *resources[IAM_SIMULATE_MAX];
    struct iam_simulation simulation;
};

static bool same(const struct least_need *a, const struct least_need *b)
{
    return a->resource == b->resource && a->condition == b->condition;
}

/* The first need of each statement; next one from i on, or count. */
static size_t next_first(const struct least_need *needs, size_t count, size_t i)
{
    for (; i < count; i++) {
        size_t k = 0;

        while (k < i && !same(&needs[k], &needs[i]))
            k++;
        if (k == i)
            break;
    }
    return i;
}

static void ask_actions(struct question *question, const struct least_need *needs, size_t count,
                        size_t first)
{
    struct iam_simulation *simulation = &question->simulation;

    for (size_t i = first; i < count; i++)
        if (same(&needs[i], &needs[first]))
            question->actions[simulation->action_count++] = needs[i].action;
    simulation->actions = question->actions;
}

static void ask_resources(struct question *question, const struct least_facts *facts,
                          enum least_resource resource)
{
    struct iam_simulation *simulation = &question->simulation;
    size_t n = least_resource_count(facts, resource);

    for (size_t i = 0; i < n && (i + 1) * simulation->action_count <= IAM_SIMULATE_MAX; i++) {
        least_resource_arn(facts, resource, i, EXAMPLE_NAME, question->arns[i]);
        question->resources[simulation->resource_count++] = question->arns[i];
    }
    simulation->resources = question->resources;
}

/* The item-th value of the statement's condition. */
static void ask_condition(struct question *question, const struct least_facts *facts,
                          enum least_condition condition, size_t item)
{
    struct iam_context *context = &question->simulation.context;

    if (condition == LEAST_WITH_BOUNDARY)
        *context = (struct iam_context){"iam:PermissionsBoundary", facts->permissions_boundary};
    else if (condition == LEAST_WITH_POLICIES)
        *context = (struct iam_context){"iam:PolicyARN", facts->policy_arns[item]};
}

static void judge(struct doctor_secret *doctor, const struct doctor_part *part,
                  const struct question *question, const struct iam_decision *decision)
{
    const struct iam_context *context = &question->simulation.context;
    const char *secret = doctor->secret->name;

    if (decision->allowed) {
        doctor->allowed++;
        return;
    }
    doctor->denied++;
    doctor_say(doctor->lines, part->missing, part->what, secret, "%s on %s%s%s%s%s is %s%s",
               decision->action, decision->resource, context->key != NULL ? " with " : "",
               context->key != NULL ? context->key : "", context->key != NULL ? " = " : "",
               context->key != NULL ? context->value : "",
               decision->explicit_deny ? "denied by a policy" : "not allowed", part->needed_by);
}

static int ask(struct doctor_secret *doctor, const struct doctor_part *part,
               const struct question *question, const struct aws_target *target, struct err *err)
{
    static _Thread_local struct iam_decision decisions[IAM_SIMULATE_MAX];
    struct aws_result result;
    size_t count = 0;
    int rc = iam_simulate_principal_policy(target, &question->simulation, decisions, &count,
                                           &result, err);

    for (size_t i = 0; i < count && rc == 0; i++)
        judge(doctor, part, question, &decisions[i]);
    return rc;
}

int doctor_simulate(struct doctor_secret *doctor, const struct doctor_part *part,
                    struct aws_access *access, const char *principal, struct err *err)
{
    static _Thread_local struct question question;
    const struct least_facts *facts = &doctor->known.facts;
    struct least_need needs[LEAST_NEEDS_MAX];
    size_t count = least_needs(facts, part->part, needs);
    size_t first = next_first(needs, count, doctor->need);
    size_t items;
    int rc;

    if (first == count)
        return 1;
    memset(&question, 0, sizeof(question));
    question.simulation.principal_arn = principal;
    ask_actions(&question, needs, count, first);
    ask_resources(&question, facts, needs[first].resource);
    ask_condition(&question, facts, needs[first].condition, doctor->item);
    rc = ask(doctor, part, &question, &access->target, err);
    if (rc != 0)
        return rc;
    items = needs[first].condition == LEAST_WITH_POLICIES ? facts->policy_arn_count : 1;
    doctor->need = first;
    if (++doctor->item >= items) {
        doctor->need = first + 1;
        doctor->item = 0;
    }
    return 0;
}
