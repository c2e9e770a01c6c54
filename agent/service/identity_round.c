/* SPDX-License-Identifier: Apache-2.0 */
#include "service/identity_round.h"

#include "base/message_ids.h"
#include "common/log.h"
#include "lease/identity.h"

#include <stdlib.h>

struct identity_round {
    struct lease_env *env;
    struct schedule *schedule;
    struct service *service;
    struct config *config; /* reference; NULL before the first start */
    size_t next;           /* secret to check next */
    bool running;          /* a check is under way */
};

static void check_next(struct identity_round *round);

static void check_finished(struct identity_check *check, void *arg)
{
    struct identity_round *round = arg;
    bool ok = check->err.code == 0;
    const struct log_field fields[] = {{FIELD_SECRET, check->secret->name}};

    round->running = false;
    if (check->err.code != KMS_ECANCELED) {
        service_set_identity(round->service, check->secret->name, check->identity.arn,
                             check->identity.account_id, ok, check->err.message);
        if (!ok)
            log_event(LOG_LEVEL_WARNING, MESSAGE_ID_SOURCE_FAILED, fields, 1,
                      "secret \"%s\": management credentials do not work: %s", check->secret->name,
                      check->err.message);
        check_next(round);
    }
    identity_check_free(check);
}

static void check_next(struct identity_round *round)
{
    struct identity_check *check;

    if (round->running || round->next >= round->config->secret_count)
        return;
    check = identity_check_new(round->env, round->config, &round->config->secrets[round->next++],
                               check_finished, round);
    if (check == NULL)
        return;
    round->running = true;
    if (schedule_submit(round->schedule, &check->job) != 0) {
        round->running = false;
        identity_check_free(check);
    }
}

int identity_round_new(struct lease_env *env, struct schedule *schedule, struct service *service,
                       struct identity_round **ret, struct err *err)
{
    struct identity_round *round = calloc(1, sizeof *round);

    if (round == NULL)
        return err_set(err, KMS_ENOMEM, "no memory for the identity checks");
    round->env = env;
    round->schedule = schedule;
    round->service = service;
    *ret = round;
    return 0;
}

void identity_round_free(struct identity_round *round)
{
    if (round == NULL)
        return;
    config_unref(round->config);
    free(round);
}

void identity_round_start(struct identity_round *round, struct config *config)
{
    struct config *old = round->config;

    round->config = config_ref(config);
    config_unref(old);
    round->next = 0;
    check_next(round);
}
