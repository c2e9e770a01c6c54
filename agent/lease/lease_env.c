/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/lease_env.h"

#define BURST_S 2 /* of the rate, at once */

int lease_env_new_limits(struct lease_env *env, double iam_rate, double sts_rate, struct err *err)
{
    env->iam_budgets = budget_set_new(iam_rate, iam_rate * BURST_S);
    env->sts_budgets = budget_set_new(sts_rate, sts_rate * BURST_S);
    env->ways = ways_new();
    if (env->iam_budgets == NULL || env->sts_budgets == NULL || env->ways == NULL)
        return err_set(err, KMS_ENOMEM, "no memory for the rate budgets");
    return 0;
}

void lease_env_set_rates(struct lease_env *env, double iam_rate, double sts_rate)
{
    budget_set_rate_all(env->iam_budgets, iam_rate, iam_rate * BURST_S);
    budget_set_rate_all(env->sts_budgets, sts_rate, sts_rate * BURST_S);
}

void lease_env_free_limits(struct lease_env *env)
{
    ways_free(env->ways);
    budget_set_free(env->sts_budgets);
    budget_set_free(env->iam_budgets);
}
