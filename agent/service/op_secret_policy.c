/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "model/least_policy.h"
#include "service/access.h"
#include "service/cold.h"
#include "service/ops.h"
#include "service/secret_facts.h"

#include <stdlib.h>

#define ASK_MS                                                                                     \
    8000 /* for finding out whose the credentials are: the answer goes without, if need be */

static const char *const holders[] = {
    [LEAST_FOR_MANAGEMENT] = "management", [LEAST_FOR_ROLE] = "role", [LEAST_FOR_TRUST] = "trust"};

static void put_policy(struct wire_writer *writer, const char *secret,
                       const struct least_policy *policy)
{
    wire_open_map(writer, NULL);
    wire_put_str(writer, "secret", secret);
    wire_open_array(writer, "documents");
    for (size_t i = 0; i < policy->document_count; i++) {
        const struct least_document *document = &policy->documents[i];

        wire_open_map(writer, NULL);
        wire_put_str(writer, "title", document->title);
        wire_put_str(writer, "identity", document->identity);
        wire_put_str(writer, "for", holders[document->holder]);
        wire_put_bool(writer, "optional", document->optional);
        wire_put_str(writer, "policy", document->policy);
        wire_close(writer);
    }
    wire_close(writer);
    wire_open_array(writer, "notes");
    for (size_t i = 0; i < policy->note_count; i++)
        wire_put_str(writer, NULL, policy->notes[i]);
    wire_close(writer);
}

static int work(struct cold *cold)
{
    const struct secret_config *secret = cold->secrets[0];
    struct lease_worker *worker = cold->worker;
    struct secret_facts *known = malloc(sizeof(*known));
    struct least_policy policy;
    int rc;

    if (known == NULL)
        return err_set(&cold->err, KMS_ENOMEM, "out of memory");
    http_client_limit(worker->http, clock_boot_ms() + ASK_MS);
    secret_facts_gather(cold->env, worker, secret, known, NULL);
    http_client_limit(worker->http, 0);
    rc = least_policy_make(&known->facts, &policy);
    if (rc == 0)
        put_policy(&cold->writer, secret->name, &policy);
    else
        err_set(&cold->err, rc, "out of memory");
    least_policy_done(&policy);
    free(known);
    return rc;
}

void op_secret_policy(struct request *request)
{
    const struct secret_config *secret = access_visible_secret(request, request->params.secret);
    struct cold *cold;

    if (secret == NULL)
        return;
    cold = cold_new(request, work, false);
    if (cold == NULL)
        return;
    cold->secrets = calloc(1, sizeof(struct secret_config *));
    if (cold->secrets == NULL) {
        cold_fail(cold, KMS_ENOMEM);
        return;
    }
    cold->secrets[cold->secret_count++] = secret;
    cold_start(cold);
}
