/* SPDX-License-Identifier: Apache-2.0 */
/* agent.sweep: one sweep, until it is through or the time is up; the cursor tells where to go on.
 */
#include "base/clock.h"
#include "lease/sweep.h"
#include "service/cold.h"
#include "service/ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_MS 40000 /* of the 60 s that a client gives a request */

static void put_orphan(struct wire_writer *writer, const struct sweep_orphan *orphan)
{
    wire_open_map(writer, NULL);
    wire_put_str(writer, "username", orphan->user_name);
    wire_put_str(writer, "secret", orphan->secret);
    wire_put_uuid(writer, "lease_id", &orphan->lease_id);
    wire_put_time(writer, "last_end", orphan->last_end_ms);
    wire_put_bool(writer, "revoking", orphan->queued);
    wire_close(writer);
}

static void put_unseen(struct wire_writer *writer, const struct sweep_unseen *unseen)
{
    wire_open_map(writer, NULL);
    wire_put_str(writer, "username", unseen->user_name);
    wire_put_str(writer, "secret", unseen->secret);
    wire_put_str(writer, "error", unseen->error);
    wire_close(writer);
}

static void put_cursor(struct wire_writer *writer, const struct sweep_place *place)
{
    char text[400];

    snprintf(text, sizeof text, "%zu:%zu:%s", place->target, place->item, place->marker);
    wire_put_str(writer, "cursor", text);
}

static void answer(struct request *request, const struct sweep *sweep)
{
    struct wire_writer writer = {0};

    wire_begin_result(&writer, request->msgid);
    wire_open_map(&writer, NULL);
    wire_put_bool(&writer, "report_only", sweep->report_only);
    wire_put_int(&writer, "paths", sweep->paths);
    wire_put_int(&writer, "users", sweep->users);
    wire_put_int(&writer, "ours", sweep->ours);
    wire_put_int(&writer, "failed", sweep->failed);
    wire_put_opt(&writer, "error", sweep->err.message);
    wire_open_array(&writer, "orphans");
    for (size_t i = 0; i < sweep->orphan_count; i++)
        put_orphan(&writer, &sweep->orphans[i]);
    wire_close(&writer);
    wire_open_array(&writer, "unseen");
    for (size_t i = 0; i < sweep->unseen_count; i++)
        put_unseen(&writer, &sweep->unseen[i]);
    wire_close(&writer);
    if (sweep->more)
        put_cursor(&writer, &sweep->place);
    request_answer(request, &writer, NULL, NULL);
}

/* A sweep that got nowhere is an error; one that failed in part says so. */
static void on_finished(struct sweep *sweep, void *arg)
{
    struct request *request = arg;

    if (sweep->job.rc != 0)
        request_fail(request, sweep->job.rc, &sweep->err);
    else if (sweep->failed > 0 && !sweep->listed)
        request_fail(request, sweep->err.code, &sweep->err);
    else
        answer(request, sweep);
    sweep_free(sweep);
}

static bool read_cursor(const char *text, struct sweep_place *ret)
{
    int used = 0;

    if (text[0] == '\0')
        return true;
    if (sscanf(text, "%zu:%zu:%n", &ret->target, &ret->item, &used) != 2 || used == 0 ||
        strlen(text + used) >= sizeof ret->marker)
        return false;
    snprintf(ret->marker, sizeof ret->marker, "%s", text + used);
    return true;
}

static void start(struct request *request)
{
    struct lease_env *env = request->service->options.env;
    struct sweep *sweep =
        sweep_new(env, request->config, request->params.report_only, on_finished, request);
    struct err err = {0};

    if (sweep == NULL) {
        err_set(&err, KMS_ENOMEM, "out of memory");
        request_fail(request, KMS_ENOMEM, &err);
        return;
    }
    if (!read_cursor(request->params.cursor, &sweep->place)) {
        sweep_free(sweep);
        err_set(&err, KMS_EINVALID, "cursor is not one of an earlier answer");
        request_fail(request, KMS_EINVALID, &err);
        return;
    }
    sweep->budget = BUDGET_CLEANUP; /* somebody waits */
    sweep->operator_asked = !sweep->report_only;
    if (request_submit(request, &sweep->job, true, SWEEP_MS) != 0)
        sweep_free(sweep);
}

void op_agent_sweep(struct request *request)
{
    start(request);
}
