/* SPDX-License-Identifier: Apache-2.0 */
#include "service/identity_round.h"

#include "base/clock.h"
#include "base/message_ids.h"
#include "common/log.h"
#include "lease/identity.h"

#include <stdlib.h>

struct identity_round {
    struct lease_env *env;
    struct schedule *schedule;
    struct service *service;
    struct config *config;     /* reference; NULL before the first start */
    size_t next;               /* secret to check next */
    bool running;              /* a check is under way */
    size_t ask_next, ask_left; /* secrets to try for AWS's time */
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

/* Whose turn it is, NULL: nobody's. A round that is under way brings AWS's time as well. */
static const struct secret_config *next_secret(struct identity_round *round)
{
    const struct config *config = round->config;

    if (clock_offset(NULL))
        round->ask_left = 0;
    if (round->running)
        return NULL;
    if (round->next < config->secret_count)
        return &config->secrets[round->next++];
    if (round->ask_left == 0 || config->secret_count == 0)
        return NULL;
    round->ask_left--;
    return &config->secrets[round->ask_next++ % config->secret_count];
}

static void check_next(struct identity_round *round)
{
    const struct secret_config *secret = next_secret(round);
    struct identity_check *check;

    if (secret == NULL)
        return;
    check = identity_check_new(round->env, round->config, secret, check_finished, round);
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

void identity_round_ask_time(struct identity_round *round)
{
    if (round->config == NULL)
        return;
    round->ask_left = round->config->secret_count;
    check_next(round);
}
