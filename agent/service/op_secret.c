/* SPDX-License-Identifier: Apache-2.0 */
#include "service/access.h"
#include "service/answer.h"
#include "service/cold.h"
#include "service/ops.h"

#include <stdlib.h>

/* There is no cursor: far more than anyone configures, and what one answer can hold. */
#define SECRETS_MAX PROTO_ANSWER_ELEMENTS_MAX
#define LIST_BYTES_MAX (PROTO_ANSWER_MAX - 8192)

struct counts {
    const struct cold *cold;
    uint64_t *live; /* one for each of cold->secrets */
};

static int count(struct store_txn *txn, void *arg, struct err *err)
{
    struct counts *counts = arg;
    int rc = 0;

    for (size_t i = 0; i < counts->cold->secret_count && rc == 0; i++)
        rc = store_count_secret(txn, counts->cold->secrets[i]->name, &counts->live[i], err);
    return rc;
}

static int count_live(struct cold *cold, uint64_t **ret)
{
    struct counts counts = {.cold = cold};
    int rc;

    counts.live = calloc(cold->secret_count + 1, sizeof *counts.live);
    if (counts.live == NULL)
        return err_set(&cold->err, KMS_ENOMEM, "out of memory");
    rc = store_run(cold->store, count, &counts, false, &cold->err);
    if (rc != 0)
        free(counts.live);
    else
        *ret = counts.live;
    return rc;
}

static int work_list(struct cold *cold)
{
    uint64_t *live;
    int rc = count_live(cold, &live);

    if (rc != 0)
        return rc;
    wire_open_map(&cold->writer, NULL);
    wire_open_array(&cold->writer, "secrets");
    for (size_t i = 0; i < cold->secret_count && cold->writer.len < LIST_BYTES_MAX; i++) {
        wire_open_map(&cold->writer, NULL);
        answer_put_secret_config(&cold->writer, cold->secrets[i], live[i]);
        wire_close(&cold->writer);
    }
    free(live);
    return 0;
}

static int work_get(struct cold *cold)
{
    uint64_t *live;
    int rc = count_live(cold, &live);

    if (rc != 0)
        return rc;
    wire_open_map(&cold->writer, NULL);
    answer_put_secret_config(&cold->writer, cold->secrets[0], live[0]);
    free(live);
    return 0;
}

/* one: that secret; NULL: all, or those the peer may use. */
static void start(struct cold *cold, bool all, const struct secret_config *one)
{
    struct request *request = cold->request;
    const struct config *config = request->config;

    cold->secrets = calloc(config->secret_count + 1, sizeof(struct secret_config *));
    if (cold->secrets == NULL) {
        cold_fail(cold, KMS_ENOMEM);
        return;
    }
    for (size_t i = 0; i < config->secret_count && cold->secret_count < SECRETS_MAX; i++) {
        const struct secret_config *secret = &config->secrets[i];

        if (one != NULL ? secret == one : all || access_match(secret, request->peer) != NULL)
            cold->secrets[cold->secret_count++] = secret;
    }
    cold_start(cold);
}

/* Each sees what it may use (so a client can pick the only one); admins see all on request. */
void op_secret_list(struct request *request)
{
    bool all = request->params.all;
    struct cold *cold;

    if (all && !access_is_admin(request->config, request->peer)) {
        access_deny_method(request, "the list of all secrets");
        return;
    }
    cold = cold_new(request, work_list, all);
    if (cold != NULL)
        start(cold, all, NULL);
}

void op_secret_get(struct request *request)
{
    const char *name = request->params.secret;
    const struct secret_config *secret = config_secret(request->config, name);
    const struct rule *rule;
    bool admin = secret != NULL && access_match(secret, request->peer) == NULL &&
                 access_is_admin(request->config, request->peer);
    struct cold *cold;

    if (!admin)
        secret = access_secret(request, name, &rule);
    if (secret == NULL)
        return;
    cold = cold_new(request, work_get, admin);
    if (cold != NULL)
        start(cold, false, secret);
}
