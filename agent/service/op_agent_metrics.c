/* SPDX-License-Identifier: Apache-2.0 */
/* agent.metrics: families of samples as Prometheus has them (exposition formats, "Basic info"), so
 * that a client can write its text without knowing any of them. What only the loop knows is copied
 * there; the rest is read and encoded on a worker. */
#include "base/clock.h"
#include "base/metrics.h"
#include "lease/overdue.h"
#include "service/cold.h"
#include "service/ops.h"

#include <stdio.h>
#include <stdlib.h>

#define OVERDUE_SCAN_MAX 200000

/* What the loop copies. */
struct readings {
    struct schedule_stats schedule;
    unsigned connections;
    size_t secrets;
    int64_t uptime_s;
};

static void begin_family(struct wire_writer *writer, const char *name, const char *type,
                         const char *help)
{
    wire_open_map(writer, NULL);
    wire_put_str(writer, "name", name);
    wire_put_str(writer, "type", type);
    wire_put_str(writer, "help", help);
}

static void begin_samples(struct wire_writer *writer)
{
    wire_open_array(writer, "samples");
}

static void end_family(struct wire_writer *writer)
{
    wire_close(writer);
    wire_close(writer);
}

/* Labels that are NULL are left out. */
static void put_sample(struct wire_writer *writer, const char *label, const char *text,
                       const char *label2, const char *text2, int64_t value)
{
    wire_open_map(writer, NULL);
    wire_open_map(writer, "labels");
    if (label != NULL)
        wire_put_str(writer, label, text);
    if (label2 != NULL)
        wire_put_str(writer, label2, text2);
    wire_close(writer);
    wire_put_int(writer, "value", value);
    wire_close(writer);
}

static void put_one(struct wire_writer *writer, const char *name, const char *type,
                    const char *help, int64_t value)
{
    begin_family(writer, name, type, help);
    begin_samples(writer);
    put_sample(writer, NULL, NULL, NULL, NULL, value);
    end_family(writer);
}

/* ---- counters ---- */

static const struct counter_family {
    const char *name, *help, *label, *label2;
} counter_families[METRIC_COUNT] = {
    [METRIC_MINTS] = {"kms_mints_total", "Leases issued.", "secret", NULL},
    [METRIC_RENEWALS] = {"kms_renewals_total", "Leases renewed.", "secret", NULL},
    [METRIC_REVOCATIONS] = {"kms_revocations_total", "IAM users gone for certain.", "secret",
                            "reason"},
    [METRIC_FAILURES] = {"kms_mint_failures_total", "Leases that could not be issued.", "secret",
                         "code"},
    [METRIC_RENEWAL_FAILURES] = {"kms_renewal_failures_total", "Leases that could not be renewed.",
                                 "secret", "code"},
    [METRIC_REVOCATION_FAILURES] = {"kms_revocation_failures_total",
                                    "Attempts to revoke that failed; each is tried again.",
                                    "secret", "code"},
    [METRIC_AWS_CALLS] = {"kms_aws_calls_total", "Calls of AWS.", "action", "outcome"},
    [METRIC_AWS_THROTTLES] = {"kms_aws_throttles_total", "Calls that AWS throttled.", "service",
                              NULL},
    [METRIC_SWEEPS] = {"kms_sweeps_total", "Sweeps for users that a lost store left behind.",
                       "outcome", NULL},
    [METRIC_SWEEP_FINDINGS] = {"kms_sweep_findings_total", "Such users found.", "fate", NULL},
};

struct counter_put {
    struct wire_writer *writer;
    enum metric metric;
};

static void put_counter(enum metric metric, const char *label, const char *label2, uint64_t value,
                        void *arg)
{
    const struct counter_put *put = arg;
    const struct counter_family *family = &counter_families[metric];

    if (metric == put->metric)
        put_sample(put->writer, family->label, label, family->label2, label2, (int64_t)value);
}

static void put_counters(struct wire_writer *writer)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        struct counter_put put = {writer, (enum metric)i};

        begin_family(writer, counter_families[i].name, "counter", counter_families[i].help);
        begin_samples(writer);
        metrics_each(put_counter, &put);
        end_family(writer);
    }
}

/* ---- latency ---- */

static const char *const service_names[METRIC_SERVICES] = {"iam", "sts"};

static void put_part(struct wire_writer *writer, const char *service, const char *suffix,
                     const char *le, int64_t value)
{
    wire_open_map(writer, NULL);
    wire_open_map(writer, "labels");
    wire_put_str(writer, "service", service);
    wire_put_opt(writer, "le", le);
    wire_close(writer);
    wire_put_str(writer, "suffix", suffix);
    wire_put_int(writer, "value", value);
    wire_close(writer);
}

static void put_latency(struct wire_writer *writer, unsigned service)
{
    struct metric_latency latency;
    uint64_t sum = 0;
    char le[24];

    metrics_read_latency(service, &latency);
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        sum += latency.buckets[i];
        snprintf(le, sizeof le, "+Inf");
        if (i < METRIC_BUCKETS - 1)
            snprintf(le, sizeof le, "%lld", (long long)metric_bucket_ms[i]);
        put_part(writer, service_names[service], "_bucket", le, (int64_t)sum);
    }
    put_part(writer, service_names[service], "_sum", NULL, (int64_t)latency.sum_ms);
    put_part(writer, service_names[service], "_count", NULL, (int64_t)latency.count);
}

static void put_latencies(struct wire_writer *writer)
{
    begin_family(writer, "kms_aws_latency_milliseconds", "histogram",
                 "How long AWS takes to answer.");
    begin_samples(writer);
    for (unsigned i = 0; i < METRIC_SERVICES; i++)
        put_latency(writer, i);
    end_family(writer);
}

/* ---- gauges ---- */

static void put_leases(struct wire_writer *writer, const struct store_stats *stats,
                       const struct overdue *overdue)
{
    begin_family(writer, "kms_leases", "gauge", "Live leases by state.");
    begin_samples(writer);
    put_sample(writer, "state", "issuing", NULL, NULL, (int64_t)stats->issuing);
    put_sample(writer, "state", "active", NULL, NULL, (int64_t)stats->active);
    put_sample(writer, "state", "revoking", NULL, NULL, (int64_t)stats->revoking);
    end_family(writer);
    put_one(writer, "kms_leases_stuck", "gauge",
            "Leases that cannot be revoked until somebody acts.", (int64_t)stats->stuck);
    put_one(writer, "kms_leases_overdue", "gauge",
            "Leases that have ended and whose key is not dead yet.", (int64_t)overdue->count);
    put_one(writer, "kms_leases_overdue_oldest_seconds", "gauge",
            "How long ago the oldest of them had to end.", overdue->oldest_ms / 1000);
}

struct budget_put {
    struct wire_writer *writer;
    const char *service;
};

static void put_budget(const char *key, struct budget *budget, void *arg)
{
    const struct budget_put *put = arg;

    put_sample(put->writer, "service", put->service, "account", key[0] != '\0' ? key : "other",
               (int64_t)(budget_rate(budget, clock_boot_ms()) * 1000));
}

/* Whole numbers alone go over the wire: a thousandth of a call a second. */
static void put_budgets(struct wire_writer *writer, const struct lease_env *env)
{
    struct budget_put iam = {writer, "iam"}, sts = {writer, "sts"};

    begin_family(writer, "kms_budget_calls_per_second", "gauge",
                 "Calls that the agent allows itself at present.");
    wire_put_int(writer, "divisor", 1000);
    begin_samples(writer);
    budget_set_each(env->iam_budgets, put_budget, &iam);
    budget_set_each(env->sts_budgets, put_budget, &sts);
    end_family(writer);
}

static void put_lanes(struct wire_writer *writer, const struct schedule_stats *stats)
{
    static const char *const names[LANE_COUNT] = {[LANE_REVOKE] = "revoke",
                                                  [LANE_SESSION] = "session",
                                                  [LANE_MINT] = "mint",
                                                  [LANE_BACKGROUND] = "background"};

    begin_family(writer, "kms_jobs", "gauge", "Jobs of the worker lanes.");
    begin_samples(writer);
    for (int i = 0; i < LANE_COUNT; i++) {
        put_sample(writer, "lane", names[i], "state", "waiting", stats->lane_waiting[i]);
        put_sample(writer, "lane", names[i], "state", "running", stats->lane_running[i]);
    }
    end_family(writer);
    put_one(writer, "kms_jobs_delayed", "gauge", "Jobs that wait for their time.",
            stats->waiting_jobs);
    put_one(writer, "kms_bound_processes", "gauge", "Processes that leases are bound to.",
            stats->bound_processes);
}

static void put_store(struct wire_writer *writer, const struct store_stats *stats)
{
    put_one(writer, "kms_store_records", "gauge", "Lease records, ended ones too.",
            (int64_t)stats->leases);
    put_one(writer, "kms_store_audit_lines", "gauge", "Lines of the audit log.",
            (int64_t)stats->audit_lines);
    put_one(writer, "kms_store_commits_total", "counter", "Commits.", (int64_t)stats->commits);
    put_one(writer, "kms_store_operations_total", "counter", "Operations in them.",
            (int64_t)stats->operations);
    put_one(writer, "kms_store_used_bytes", "gauge", "Bytes of the map in use.",
            (int64_t)stats->used_bytes);
    put_one(writer, "kms_store_map_bytes", "gauge", "Bytes of the map.", (int64_t)stats->map_bytes);
    put_one(writer, "kms_store_disk_free_bytes", "gauge", "Free bytes of its file system.",
            (int64_t)stats->free_bytes);
    put_one(writer, "kms_issuing_allowed", "gauge", "1 unless the store is full.",
            stats->issuing_allowed);
}

static void put_agent(struct wire_writer *writer, const struct readings *readings)
{
    int64_t offset_ms;

    put_one(writer, "kms_secrets", "gauge", "Configured secrets.", (int64_t)readings->secrets);
    put_one(writer, "kms_connections", "gauge", "Open connections.", readings->connections);
    put_one(writer, "kms_uptime_seconds", "gauge", "Since the agent started.", readings->uptime_s);
    if (clock_offset(&offset_ms))
        put_one(writer, "kms_clock_offset_milliseconds", "gauge", "AWS's clock minus this host's.",
                offset_ms);
}

static int work(struct cold *cold)
{
    const struct readings *readings = cold->arg;
    struct wire_writer *writer = &cold->writer;
    struct store_stats stats;
    struct overdue overdue;
    int rc = store_stats(cold->store, &stats, &cold->err);

    if (rc == 0)
        rc = overdue_read(cold->store, OVERDUE_SCAN_MAX, &overdue, &cold->err);
    if (rc != 0)
        return rc;
    wire_open_map(writer, NULL);
    wire_open_array(writer, "metrics");
    put_leases(writer, &stats, &overdue);
    put_counters(writer);
    put_latencies(writer);
    put_budgets(writer, cold->env);
    put_lanes(writer, &readings->schedule);
    put_store(writer, &stats);
    put_agent(writer, readings);
    wire_close(writer);
    return 0;
}

void op_agent_metrics(struct request *request)
{
    const struct service *service = request->service;
    const struct service_port *port = &service->port;
    struct cold *cold = cold_new(request, work, true);
    struct readings *readings;

    if (cold == NULL)
        return;
    readings = calloc(1, sizeof *readings);
    if (readings == NULL) {
        cold_fail(cold, KMS_ENOMEM);
        return;
    }
    schedule_stats(service->options.schedule, &readings->schedule);
    readings->connections = port->connections != NULL ? port->connections(port->front) : 0;
    readings->secrets = service->config->secret_count;
    readings->uptime_s = (clock_boot_ms() - service->started_boot_ms) / 1000;
    cold->arg = readings;
    cold->arg_free = free;
    cold_start(cold);
}
