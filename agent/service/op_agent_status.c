/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "lease/overdue.h"
#include "service/access.h"
#include "service/ops.h"

#include <unistd.h>

static void put_store(struct wire_writer *writer, const struct store_stats *stats)
{
    wire_open_map(writer, "store");
    wire_put_int(writer, "free_bytes", (int64_t)stats->free_bytes);
    wire_put_int(writer, "used_bytes", (int64_t)stats->used_bytes);
    wire_put_bool(writer, "issuing_allowed", stats->issuing_allowed);
    wire_put_int(writer, "unrecorded", (int64_t)stats->held);
    if (stats->reader_pid != 0) {
        wire_put_int(writer, "reader_pid", stats->reader_pid);
        wire_put_int(writer, "reader_behind", (int64_t)stats->reader_behind);
    }
    wire_close(writer);
}

static void put_management(struct wire_writer *writer, const struct service *service)
{
    wire_open_array(writer, "management");
    for (size_t i = 0; i < service->identity_count && i < PROTO_LIST_LIMIT_MAX; i++) {
        const struct identity *identity = &service->identities[i];

        wire_open_map(writer, NULL);
        wire_put_str(writer, "secret", identity->secret);
        wire_put_str(writer, "identity", identity->identity);
        wire_put_opt(writer, "account_id", identity->account);
        wire_put_bool(writer, "ok", identity->ok);
        wire_put_opt(writer, "error", identity->error);
        wire_close(writer);
    }
    wire_close(writer);
}

#define OVERDUE_SCAN_MAX 512 /* the loop reads so many rows in a millisecond */
#define OVERDUE_KEEP_MS 500  /* any peer may ask, as often as it likes */

/* Of leases whose retry lies ahead too: they are late although their row is not. */
static int64_t overdue_ms(struct service *service, const struct schedule_stats *schedule)
{
    int64_t now_ms = clock_boot_ms();
    struct overdue overdue = {0};
    struct err err = {0};

    if (now_ms >= service->overdue_until_ms) {
        (void)!overdue_read(service->options.env->store, OVERDUE_SCAN_MAX, &overdue, &err);
        service->overdue_ms = overdue.oldest_ms;
        service->overdue_until_ms = now_ms + OVERDUE_KEEP_MS;
    }
    return service->overdue_ms < schedule->oldest_overdue_ms ? schedule->oldest_overdue_ms
                                                             : service->overdue_ms;
}

static void put_work(struct wire_writer *writer, struct service *service,
                     const struct store_stats *stats)
{
    const struct service_port *port = &service->port;
    struct schedule_stats schedule = {0};
    int64_t offset_ms;

    schedule_stats(service->options.schedule, &schedule);
    wire_put_int(writer, "secrets", (int64_t)service->config->secret_count);
    wire_put_int(writer, "live_leases", (int64_t)stats->live);
    wire_put_int(writer, "revoking", (int64_t)stats->revoking);
    wire_put_int(writer, "stuck", (int64_t)stats->stuck);
    wire_put_int(writer, "overdue_s", overdue_ms(service, &schedule) / 1000);
    wire_put_int(writer, "connections",
                 port->connections != NULL ? port->connections(port->front) : 0);
    if (clock_offset(&offset_ms))
        wire_put_int(writer, "clock_offset_ms", offset_ms);
}

/* Answered in the loop, so that a probe does not wait behind the work it asks about. */
void op_agent_status(struct request *request)
{
    struct service *service = request->service;
    struct wire_writer writer = {0};
    struct store_stats stats = {0};
    struct err err = {0};
    char line[256];
    int rc = store_stats(service->options.env->store, &stats, &err);

    if (rc != 0) {
        request_fail(request, rc, &err);
        return;
    }
    service_status_line(request->service, line, sizeof line);
    wire_begin_result(&writer, request->msgid);
    wire_open_map(&writer, NULL);
    wire_put_str(&writer, "version",
                 service->options.version != NULL ? service->options.version : "");
    wire_put_int(&writer, "pid", getpid());
    wire_put_bool(&writer, "ready", stats.issuing_allowed);
    wire_put_str(&writer, "status", line);
    wire_put_time(&writer, "started_at", service->started_wall_ms);
    wire_put_int(&writer, "uptime_s", (clock_boot_ms() - service->started_boot_ms) / 1000);
    put_work(&writer, service, &stats);
    put_store(&writer, &stats);
    if (access_is_admin(request->config, request->peer))
        put_management(&writer, service);
    request_answer(request, &writer, NULL, NULL);
}
