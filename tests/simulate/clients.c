/* SPDX-License-Identifier: Apache-2.0 */
#include "clients.h"

#include "checks.h"
#include "fake_store.h"
#include "fake_watch.h"
#include "sim.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ISSUE_DEADLINE_MS 75000 /* as service/request.h */
#define DEADLINE_MS 60000
#define REQUESTS_MAX 256
#define UIDS 3

/* A request for a lease. */
static struct request {
    struct issue *issue; /* NULL: answered */
    bool gone;
    int pid, pidfd;
    struct uuid id;
    bool writing; /* its reply is on the way */
} requests[REQUESTS_MAX];
static size_t request_count;
static int process_count;

void clients_begin(void)
{
    request_count = 0;
    process_count = 0;
}

void clients_agent_gone(void)
{
    request_count = 0;
    check_agent_gone();
}

static struct lease_owner owner(void)
{
    struct lease_owner ret = {.uid = (uint32_t)(1000 + sim_random(UIDS)), .pid = 1};

    snprintf(ret.rule, sizeof ret.rule, "user:%u", ret.uid);
    return ret;
}

static int64_t draw_ttl(void)
{
    switch (sim_random(4)) {
    case 0:
        return 0;
    case 1:
        return sim_between(5, 60);
    default:
        return sim_between(10, 300);
    }
}

/* ---- issue ---- */

static void undelivered(const struct uuid *id)
{
    check_grant(id)->undelivered = true;
    sim_note("not delivered");
    issue_undelivered(&world.env, id);
}

static void delivered(const struct uuid *id)
{
    check_grant(id)->delivered = true;
    sim_note("delivered");
    issue_delivered(&world.env, id);
}

static int bind_lease(struct request *request, const struct issue *issue)
{
    struct err err = {0};
    int pidfd = request->pidfd;

    request->pidfd = -1;
    if (!issue->lease.bound)
        return 0;
    return schedule_bind(world.schedule, &issue->lease.id, pidfd, &err);
}

static void on_issued(struct issue *issue, void *arg)
{
    struct request *request = arg;

    request->issue = NULL;
    sim_note("issue ends: %d %.120s", issue->job.rc, issue->err.message);
    if (issue->job.rc == 0) {
        check_issued(issue);
        request->id = issue->lease.id;
        if (request->gone || bind_lease(request, issue) != 0)
            undelivered(&request->id);
        else if (!sim.ending && sim_chance(500))
            undelivered(&request->id);
        else if (!sim.ending && sim_chance(1000))
            request->writing = true;
        else
            delivered(&request->id);
    }
    if (request->pidfd >= 0)
        close(request->pidfd);
    request->pidfd = -1;
    issue_free(issue);
}

void clients_issue(void)
{
    struct config *config = world_config();
    struct issue_params params = {.config = config, .owner = owner()};
    struct request *request = &requests[request_count];
    struct issue *issue;

    if (!world.alive || request_count == REQUESTS_MAX)
        return;
    params.secret = &config->secrets[sim_random(config->secret_count)];
    params.ttl_s = draw_ttl();
    *request = (struct request){.pidfd = -1};
    if (params.secret->recipe.type == CREDENTIAL_IAM_USER && sim_chance(4000) &&
        process_count < PROCESSES_MAX) {
        params.bind = true;
        process_count = request->pid = fake_process_start(&params.process);
        request->pidfd = fake_process_pidfd(request->pid);
    }
    issue = issue_new(&world.env, &params, on_issued, request);
    if (issue == NULL)
        abort();
    request_count++;
    request->issue = issue;
    check_grant(&issue->job.lease_id)->pid = request->pid;
    issue->job.deadline_ms = sim_boot_ms() + ISSUE_DEADLINE_MS;
    sim_note("issue %s, %d s%s", params.secret->name, (int)params.ttl_s,
             params.bind ? ", bound" : "");
    if (schedule_submit(world.schedule, &issue->job) == 0)
        return;
    request->issue = NULL;
    if (request->pidfd >= 0)
        close(request->pidfd);
    issue_free(issue);
}

void clients_go_away(void)
{
    for (size_t i = 0; i < request_count; i++) {
        if (requests[i].issue == NULL || requests[i].gone)
            continue;
        sim_note("a client goes away");
        requests[i].gone = true;
        schedule_cancel(world.schedule, &requests[i].issue->job);
        return;
    }
}

void clients_reply_written(void)
{
    for (size_t i = 0; i < request_count; i++) {
        if (!requests[i].writing)
            continue;
        requests[i].writing = false;
        if (sim_chance(6000))
            delivered(&requests[i].id);
        else
            undelivered(&requests[i].id);
    }
}

/* ---- renew, revoke ---- */

/* One of the newer leases. */
static const struct lease *draw_lease(void)
{
    size_t count = 0;

    while (fake_store_nth(count) != NULL)
        count++;
    return count == 0 ? NULL : fake_store_nth(count - 1 - sim_random(count < 8 ? count : 8));
}

static void on_renewed(struct renew *renew, void *arg)
{
    (void)arg;
    sim_note("renew ends: %d %.120s", renew->job.rc, renew->err.message);
    check_renewed(renew);
    renew_free(renew);
}

void clients_renew(void)
{
    const struct lease *lease = draw_lease();
    struct lease_owner actor = owner();
    struct renew *renew;

    if (!world.alive || lease == NULL)
        return;
    renew = renew_new(&world.env, world_config(), &lease->id, draw_ttl(), &actor, on_renewed, NULL);
    if (renew == NULL)
        abort();
    renew->job.deadline_ms = sim_boot_ms() + DEADLINE_MS;
    check_renewing(&lease->id);
    sim_note("renew %s", lease->secret);
    if (schedule_submit(world.schedule, &renew->job) == 0)
        return;
    check_grant(&renew->job.lease_id)->renewing--;
    renew_free(renew);
}

static void on_revoked(struct revoke *revoke, void *arg)
{
    (void)arg;
    sim_note("revoke ends: %d %.120s", revoke->job.rc, revoke->err.message);
    if (revoke->job.rc == 0)
        check_revoked(revoke);
    revoke_free(revoke);
}

void clients_revoke(void)
{
    const struct lease *lease = draw_lease();
    struct lease_owner actor = owner();
    struct revoke *revoke;

    if (!world.alive || lease == NULL || lease->state == LEASE_REVOKED ||
        lease->state == LEASE_NONE)
        return;
    check_grant(&lease->id)->asked_to_revoke = true;
    revoke = revoke_new(&world.env, &lease->id, REVOKE_CLIENT, &actor, on_revoked, NULL);
    if (revoke == NULL)
        abort();
    sim_note("revoke %s", lease->secret);
    if (schedule_submit(world.schedule, &revoke->job) != 0)
        revoke_free(revoke);
}

/* ---- processes ---- */

void clients_exit_one(void)
{
    int pid = process_count > 0 ? (int)sim_random((uint64_t)process_count) + 1 : 0;

    if (pid == 0 || !fake_process_lives(pid))
        return;
    sim_note("process %d exits", pid);
    fake_process_exit(pid);
}

void clients_exit_all(void)
{
    for (int pid = 1; pid <= process_count; pid++)
        if (fake_process_lives(pid))
            fake_process_exit(pid);
}
