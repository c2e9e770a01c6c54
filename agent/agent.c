/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.h"

#include "aws/http.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/thread_role.h"
#include "common/log.h"
#include "front/front.h"
#include "lease/identity.h"
#include "lease/root_keys.h"
#include "lease/today.h"
#include "schedule/audit_prune.h"
#include "service/identity_round.h"
#include "service/sweep_round.h"
#include "service_manager.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 64
#define QUEUE_MAX 1024
#define STATUS_INTERVAL_S 10
#define STOP_WAIT_MS                                                                               \
    8000 /* systemd's TimeoutStopSec is 90 s; what is not done then is in the store */

struct agent {
    struct config *config;
    const char *config_file;
    char *agent_id;
    struct event_base *base;
    struct mailbox *mailbox;
    struct lease_env env;
    struct schedule *schedule;
    struct service *service;
    struct front *front;
    struct identity_round *identities;
    struct sweep_round *sweeps;
    struct audit_prune *audit_prune;
    struct event *signals[3], *watchdog, *status;
    bool globals; /* http_global_init() was done */
};

/* A store that lost a write must not go on: exit at once, systemd starts us again and recovery
 * reads what is durable. */
static void store_is_broken(const struct err *err, void *arg)
{
    (void)arg;
    log_error("the lease store failed, stopping at once: %s", err->message);
    _exit(1);
}

static int replace_text(char **text, const char *by)
{
    char *copy = by != NULL ? strdup(by) : NULL;

    if (by == NULL)
        return 0;
    if (copy == NULL)
        return KMS_ENOMEM;
    free(*text);
    *text = copy;
    return 0;
}

static int load_config(struct agent *agent, const struct options *options, struct err *err)
{
    int rc;

    agent->config_file = options->config_file != NULL ? options->config_file : CONFIG_DEFAULT_FILE;
    rc = config_load(agent->config_file, &agent->config, err);
    if (rc != 0)
        return rc;
    if (replace_text(&agent->config->agent.socket, options->socket) != 0 ||
        replace_text(&agent->config->agent.state_directory, options->state_directory) != 0)
        return err_set(err, KMS_ENOMEM, "no memory for the configuration");
    for (size_t i = 0; i < agent->config->warnings.count; i++)
        log_warning("%s", agent->config->warnings.items[i]);
    return 0;
}

static int open_store(struct agent *agent, struct err *err)
{
    const struct agent_config *config = &agent->config->agent;
    const struct store_options options = {
        .directory = config->state_directory,
        .map_size = config->map_size,
        .allow_volatile = true, /* lease/ refuses IAM users on one unless the operator allows it */
        .on_fatal = store_is_broken,
    };

    return store_open(&options, config->agent_id, &agent->env.store, err);
}

/* "env:NAME" references: taken now, so that they do not stay readable in /proc/PID/environ. */
static void take_environment(struct agent *agent, const struct config *config)
{
    for (size_t i = 0; i < config->secret_count; i++)
        if (source_take_env(agent->env.sources, &config->secrets[i].recipe))
            log_warning(
                "secret \"%s\": its key comes from the environment; a credential file is safer",
                config->secrets[i].name);
}

static int make_env(struct agent *agent, struct err *err)
{
    const struct agent_config *config = &agent->config->agent;
    int rc = open_store(agent, err);

    if (rc == 0)
        rc = sources_new(config->project_id, &agent->env.sources, err);
    if (rc == 0) {
        take_environment(agent, agent->config);
        rc = identity_cache_new(&agent->env.identities, err);
    }
    if (rc == 0)
        rc = today_new(agent->config, &agent->env.today, err);
    if (rc != 0)
        return rc;
    agent->agent_id = strdup(config->agent_id); /* a reload does not change it */
    if (agent->agent_id == NULL)
        return err_set(err, KMS_ENOMEM, "no memory for the agent id");
    agent->env.agent_id = agent->agent_id;
    agent->env.started_wall_ms = clock_wall_ms();
    agent->env.run_id = random_below(UINT64_MAX - 1) + 1;
    rc = lease_env_new_limits(&agent->env, config->iam_rate, config->sts_rate, err);
    return rc != 0 ? rc : root_keys_load(&agent->env, err);
}

/* After a reload: everybody who keeps values of the configuration. Socket, state directory and
 * agent id stay. */
static void config_changed(struct config *config, void *arg)
{
    struct agent *agent = arg;
    struct config *old = agent->config;
    const struct agent_config *values = &config->agent;

    agent->config = config_ref(config);
    take_environment(agent, config);
    today_set(agent->env.today, config);
    schedule_set_config(agent->schedule, config);
    front_set_limits(agent->front, values);
    lease_env_set_rates(&agent->env, values->iam_rate, values->sts_rate);
    audit_prune_set_retention(agent->audit_prune, values->audit_retention_s);
    identity_round_start(agent->identities, config);
    sweep_round_start(agent->sweeps, config);
    config_unref(old);
}

static void clock_lost(void *arg)
{
    struct agent *agent = arg;

    identity_round_ask_time(agent->identities);
}

static int make_service(struct agent *agent, struct err *err)
{
    const struct schedule_options schedule = {
        .base = agent->base,
        .mailbox = agent->mailbox,
        .env = &agent->env,
        .config = agent->config,
        .threads_max = THREADS_MAX,
        .queue_max = QUEUE_MAX,
        .clock_lost = clock_lost,
        .clock_lost_arg = agent,
    };
    struct service_options service = {
        .env = &agent->env,
        .config = agent->config,
        .config_file = agent->config_file,
        .version = PACKAGE_VERSION,
        .config_changed = config_changed,
        .arg = agent,
    };
    int rc = schedule_new(&schedule, &agent->schedule, err);

    if (rc != 0)
        return rc;
    service.schedule = agent->schedule;
    rc = service_new(&service, &agent->service, err);
    if (rc == 0)
        rc = identity_round_new(&agent->env, agent->schedule, agent->service, &agent->identities,
                                err);
    if (rc == 0)
        rc = sweep_round_new(agent->base, &agent->env, agent->schedule, &agent->sweeps, err);
    if (rc == 0)
        rc = audit_prune_new(agent->base, agent->env.store, agent->config->agent.audit_retention_s,
                             &agent->audit_prune, err);
    return rc;
}

static int make_front(struct agent *agent, struct err *err)
{
    int *fds = NULL;
    struct front_options options = {
        .base = agent->base,
        .service = agent->service,
        .config = &agent->config->agent,
    };
    int rc = service_manager_listen_fds(&fds, &options.listen_fd_count, err);

    if (rc != 0)
        return rc;
    options.listen_fds = fds;
    rc = front_new(&options, &agent->front, err);
    free(fds);
    return rc;
}

static void tell_status(struct agent *agent, void (*tell)(const char *status))
{
    char line[256];

    service_status_line(agent->service, line, sizeof line);
    tell(line);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct agent *agent = arg;

    (void)fd;
    (void)what;
    service_manager_stopping();
    event_base_loopbreak(agent->base);
}

static void reload_finished(int rc, const struct err *err, void *arg)
{
    (void)rc;
    (void)err; /* the service told the log; the old configuration stays */
    tell_status(arg, service_manager_ready);
}

static void on_reload(evutil_socket_t fd, short what, void *arg)
{
    struct agent *agent = arg;

    (void)fd;
    (void)what;
    service_manager_reloading();
    service_reload(agent->service, reload_finished, agent);
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    service_manager_ping();
}

static void on_status(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    service_tick(((struct agent *)arg)->service);
    tell_status(arg, service_manager_status);
}

static struct event *add_event(struct agent *agent, int fd, short what, event_callback_fn callback,
                               int64_t interval_ms)
{
    struct timeval interval = {interval_ms / 1000, (interval_ms % 1000) * 1000};
    struct event *event = event_new(agent->base, fd, what | EV_PERSIST, callback, agent);

    if (event != NULL && event_add(event, interval_ms > 0 ? &interval : NULL) != 0) {
        event_free(event);
        event = NULL;
    }
    return event;
}

static int add_events(struct agent *agent, struct err *err)
{
    int64_t ping_ms = service_manager_ping_interval_ms();

    agent->signals[0] = add_event(agent, SIGTERM, EV_SIGNAL, on_stop, 0);
    agent->signals[1] = add_event(agent, SIGINT, EV_SIGNAL, on_stop, 0);
    agent->signals[2] = add_event(agent, SIGHUP, EV_SIGNAL, on_reload, 0);
    agent->status = add_event(agent, -1, 0, on_status, STATUS_INTERVAL_S * 1000);
    if (ping_ms > 0)
        agent->watchdog = add_event(agent, -1, 0, on_watchdog, ping_ms);
    if (agent->signals[0] == NULL || agent->signals[1] == NULL || agent->signals[2] == NULL ||
        agent->status == NULL || (ping_ms > 0 && agent->watchdog == NULL))
        return err_set(err, KMS_ENOMEM, "no memory for the agent's events");
    return 0;
}

static int make_loop(struct agent *agent, struct err *err)
{
    agent->base = event_base_new();
    if (agent->base == NULL)
        return err_set(err, KMS_ENOMEM, "no memory for the event loop");
    return mailbox_new(agent->base, &agent->mailbox, err);
}

static int agent_init(struct agent *agent, const struct options *options, struct err *err)
{
    int rc = secret_heap_init(err);

    if (rc == 0)
        rc = http_global_init(err);
    if (rc != 0)
        return rc;
    agent->globals = true;
    rc = load_config(agent, options, err);
    if (rc == 0) { /* before processes of the last run are found and bound again */
        (void)descriptors_share_out(agent->config->agent.max_connections);
        rc = make_env(agent, err);
    }
    if (rc == 0)
        rc = make_loop(agent, err);
    if (rc == 0)
        rc = make_service(agent, err);
    if (rc == 0)
        rc = schedule_start(agent->schedule, err);
    if (rc == 0)
        rc = make_front(agent, err);
    if (rc == 0)
        rc = add_events(agent, err);
    return rc;
}

static void free_event(struct event **event)
{
    if (*event != NULL)
        event_free(*event);
    *event = NULL;
}

/* Exact reverse of agent_init(); fine on a half-made agent. */
static void agent_done(struct agent *agent)
{
    free_event(&agent->watchdog);
    free_event(&agent->status);
    for (size_t i = 0; i < 3; i++)
        free_event(&agent->signals[i]);
    if (agent->front != NULL)
        front_stop(agent->front);
    if (agent->schedule != NULL && schedule_stop(agent->schedule, STOP_WAIT_MS) != 0) {
        log_warning("a worker did not end in time; what it did is in the store or will be found");
        _exit(0); /* nothing may be freed under it */
    }
    if (agent->service != NULL)
        service_flush(agent->service);
    front_free(agent->front);
    audit_prune_free(agent->audit_prune);
    sweep_round_free(agent->sweeps);
    identity_round_free(agent->identities);
    schedule_free(agent->schedule);
    store_close(agent->env.store); /* operations post to the mailbox until here */
    mailbox_free(agent->mailbox);
    service_free(agent->service);
    if (agent->base != NULL)
        event_base_free(agent->base);
    lease_env_free_limits(&agent->env);
    today_free(agent->env.today);
    identity_cache_free(agent->env.identities);
    sources_free(agent->env.sources);
    free(agent->agent_id);
    config_unref(agent->config);
    if (agent->globals)
        http_global_done();
    secret_heap_done();
}

int agent_run(const struct options *options)
{
    struct agent agent = {0};
    struct err err = {0};
    int rc;

    thread_role = THREAD_LOOP;
    rc = agent_init(&agent, options, &err);
    if (rc == 0) {
        service_start_root_keys(agent.service);
        identity_round_start(agent.identities, agent.config);
        sweep_round_start(agent.sweeps, agent.config);
        tell_status(&agent, service_manager_ready);
        log_notice("kms-agentd %s serves %zu secrets", PACKAGE_VERSION, agent.config->secret_count);
        event_base_dispatch(agent.base);
        log_notice("stopping");
    } else {
        log_error("%s%s%s", err.message, err.hint[0] != '\0' ? "; " : "", err.hint);
    }
    agent_done(&agent);
    return rc == 0 ? 0 : 1;
}
