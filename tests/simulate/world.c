/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "base/clock.h"
#include "checks.h"
#include "cloud.h"
#include "fake_store.h"
#include "fake_watch.h"
#include "lease/identity.h"
#include "sim.h"

#include <event2/event_struct.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_FD 64 /* descriptors of the world's lie from here on */
#define TURNS_MAX 20000
#define IAM_RATE 100.0

struct world world;
static struct config *config;
static char directory[64];

/* ---- configuration ---- */

static const char agent_conf[] =
    "agent: { agent_id = \"sim\"; state_directory = \"%s\"; socket = \"%s/s\";\n"
    "  iam_endpoint = \"http://127.0.0.1:1\"; sts_endpoint = \"http://127.0.0.1:1\"; };\n"
    "secret: {\n"
    " app: { %s path = \"/kms/\"; default_ttl = \"10m\"; max_ttl = \"1h\"; ready_timeout = "
    "\"10s\";\n"
    "   groups = [\"a\", \"b\"]; policy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"];\n"
    "   policy_documents = "
    "[\"{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":{\\\"Effect\\\":"
    "\\\"Allow\\\",\\\"Action\\\":\\\"s3:*\\\",\\\"Resource\\\":\\\"*\\\"}}\"]; };\n"
    " brief: { %s path = \"/kms/\"; default_ttl = \"30s\"; max_ttl = \"5m\"; ready_timeout = "
    "\"0s\"; };\n"
    " few: { %s path = \"/kms/\"; default_ttl = \"2m\"; max_ttl = \"20m\"; ready_timeout = \"0s\"; "
    "max_leases = 3; };\n"
    " session: { %s default_ttl = \"15m\"; max_ttl = \"1h\"; credential_type = "
    "\"temporary-credentials\"; allow_longer = true; };\n"
    " role: { %s default_ttl = \"1m\"; max_ttl = \"1h\"; credential_type = "
    "\"temporary-credentials\"; method = \"assume-role\"; role_arn = \"arn:aws:iam::" CLOUD_ACCOUNT
    ":role/R\"; };\n"
    " hop: { %s path = \"/kms/\"; default_ttl = \"3m\"; max_ttl = \"30m\"; method = "
    "\"assume-role\"; role_arn = "
    "\"arn:aws:iam::" CLOUD_ACCOUNT ":role/R\"; };\n};\n";

static void write_file(const char *name, const char *text)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
    close(fd);
}

struct config *world_config(void)
{
    return config;
}

void world_load_config(void)
{
    char key[400], with_method[440], text[6000];
    char path[128];
    struct err err = {0};

    snprintf(directory, sizeof directory, "/tmp/kms-simulate-XXXXXX");
    if (mkdtemp(directory) == NULL)
        abort();
    write_file("secret", "simulated");
    snprintf(key, sizeof key,
             "access_key_id = \"" CLOUD_MANAGEMENT_KEY "\"; secret_access_key = \"file:%s/secret\";"
             " region = \"eu-west-1\"; allow = [\"user:%u\"]; ",
             directory, (unsigned)getuid());
    snprintf(with_method, sizeof with_method, "%s method = \"access-key\";", key);
    snprintf(text, sizeof text, agent_conf, directory, directory, with_method, with_method,
             with_method, with_method, key, key);
    write_file("agent.conf", text);
    snprintf(path, sizeof path, "%s/agent.conf", directory);
    if (config_load(path, &config, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        exit(2);
    }
}

void world_remove_config(void)
{
    char path[128];

    snprintf(path, sizeof path, "%s/secret", directory);
    unlink(path);
    snprintf(path, sizeof path, "%s/agent.conf", directory);
    unlink(path);
    rmdir(directory);
    config_unref(config);
}

/* ---- life ---- */

static void due_changed_early(void *arg)
{
    (void)arg;
}

void world_begin(void)
{
    memset(&world, 0, sizeof world);
    fake_store_reset();
    fake_process_reset();
}

static void on_identity(struct identity_check *check, void *arg)
{
    (void)arg;
    identity_check_free(check);
}

/* As the agent does at start. */
static void check_identities(void)
{
    for (size_t i = 0; i < config->secret_count; i++) {
        struct identity_check *check =
            identity_check_new(&world.env, config, &config->secrets[i], on_identity, NULL);

        if (schedule_submit(world.schedule, &check->job) != 0)
            abort();
    }
}

static void must(int rc, const struct err *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "the agent does not start: %s\n", err->message);
    abort();
}

/* Descriptors of the agent's lie where a crash can close them all. */
static void raise_fds(void)
{
    int low;

    while ((low = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 && low < FIRST_FD)
        ;
    if (low >= 0)
        close(low);
}

void world_boot(void)
{
    struct schedule_options options = {.mailbox = NULL, .config = config, .queue_max = 64};
    struct err err = {0};

    sim_note("the agent starts");
    raise_fds();
    clock_void_offset();
    world.env = (struct lease_env){.store = fake_store_open(),
                                   .agent_id = "sim",
                                   .started_wall_ms = clock_wall_ms(),
                                   .run_id = world.boots + 1,
                                   .due_changed = due_changed_early};
    must(sources_new(NULL, &world.env.sources, &err), &err);
    must(identity_cache_new(&world.env.identities, &err), &err);
    world.env.iam_budgets = budget_set_new(IAM_RATE, IAM_RATE * 2);
    world.env.sts_budgets = budget_set_new(IAM_RATE, IAM_RATE * 2);
    world.env.ways = ways_new();
    world.base = event_base_new();
    must(mailbox_new(world.base, &world.mailbox, &err), &err);
    options.base = world.base;
    options.mailbox = world.mailbox;
    options.env = &world.env;
    must(schedule_new(&options, &world.schedule, &err), &err);
    must(schedule_start(world.schedule, &err), &err);
    world.alive = true;
    world.boots++;
    check_agent_back();
    if (sim_chance(7500))
        check_identities();
}

void world_killed(void)
{
    close_range(FIRST_FD, ~0U, 0);
    fake_process_forget_fds();
    fake_watch_forget();
    world.alive = false;
    sim.depth = 0;
    sim.crashes++;
}

static void drain(void)
{
    while (fake_store_pending())
        fake_store_write();
    event_base_loop(world.base, EVLOOP_NONBLOCK);
}

void world_stop(void)
{
    unsigned chance = sim.crash_chance;

    sim_note("the agent stops");
    sim.stops++;
    schedule_stop(world.schedule, 0);
    drain();
    schedule_free(world.schedule);
    sim.crash_chance = 0; /* half of it is freed */
    while (fake_store_pending())
        fake_store_write();
    sim.crash_chance = chance;
    mailbox_free(world.mailbox);
    event_base_free(world.base);
    budget_set_free(world.env.iam_budgets);
    budget_set_free(world.env.sts_budgets);
    ways_free(world.env.ways);
    identity_cache_free(world.env.identities);
    sources_free(world.env.sources);
    world.alive = false;
}

/* ---- driving ---- */

static bool run_job(void)
{
    bool ran;

    if (sim.depth >= 3)
        return false;
    sim.depth++;
    ran = schedule_run_one(world.schedule, &world.worker, sim_random(64));
    sim.depth--;
    return ran;
}

/* The loop's share: mail, timers, the clock. */
static bool run_loop(void)
{
    bool told = fake_watch_turn();

    event_base_loop(world.base, EVLOOP_NONBLOCK);
    return told;
}

void world_turn(void)
{
    bool busy = true;

    while (busy) {
        if (++sim.idle_turns > TURNS_MAX)
            sim_violation("the agent spins");
        busy = run_loop();
        if (fake_store_pending() && sim_chance(6000)) {
            fake_store_write();
            busy = true;
        }
        busy = run_job() || busy;
        if (!busy && fake_store_pending()) {
            fake_store_write();
            busy = true;
        }
    }
    run_loop(); /* what the last job left in the mailbox is dealt with before time passes */
}

void world_turn_once(void)
{
    run_loop();
    if (fake_store_pending() && sim_chance(3000))
        fake_store_write();
    if (sim_chance(5000))
        run_job();
}

bool world_busy(void)
{
    struct schedule_stats stats;

    schedule_stats(world.schedule, &stats);
    return stats.busy_leases > 0;
}

static int earliest_timer(const struct event_base *base, const struct event *event, void *arg)
{
    int64_t *next_ms = arg, at_ms;

    (void)base;
    if ((event->ev_evcallback.evcb_flags & EVLIST_TIMEOUT) == 0)
        return 0;
    at_ms = (int64_t)event->ev_timeout.tv_sec * 1000 + event->ev_timeout.tv_usec / 1000 + 1;
    if (*next_ms == 0 || at_ms < *next_ms)
        *next_ms = at_ms;
    return 0;
}

int64_t world_next_ms(void)
{
    int64_t boot_to_true_ms = sim.now_ms - sim_boot_ms(), timer_ms = 0;
    int64_t watch_ms = fake_watch_next_ms(), next_ms = sim.now_ms + 60000;

    event_base_foreach_event(world.base, earliest_timer, &timer_ms);
    if (timer_ms != 0 && timer_ms + sim.suspended_ms + boot_to_true_ms < next_ms)
        next_ms = timer_ms + sim.suspended_ms + boot_to_true_ms;
    if (watch_ms != 0 && watch_ms < next_ms)
        next_ms = watch_ms;
    return next_ms > sim.now_ms ? next_ms : sim.now_ms + 1;
}
