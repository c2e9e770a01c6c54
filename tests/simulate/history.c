/* SPDX-License-Identifier: Apache-2.0 */
#include "history.h"

#include "base/clock.h"
#include "checks.h"
#include "clients.h"
#include "fake_store.h"
#include "fake_watch.h"
#include "lateness.h"
#include "sim.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLANS_MAX 64
#define SETTLE_MS 1500000 /* guard, slow lane and retries, all of them twice */

enum plan_kind {
    PLAN_ISSUE,
    PLAN_RENEW,
    PLAN_REVOKE,
    PLAN_EXIT,
    PLAN_GO_AWAY,
    PLAN_WRITTEN,
    PLAN_HOLDER,
    PLAN_CALM_KINDS,
    PLAN_TROUBLE = PLAN_CALM_KINDS,
    PLAN_TROUBLE_ENDS,
    PLAN_FULL,
    PLAN_FULL_ENDS,
    PLAN_JUMP,
    PLAN_SUSPEND,
    PLAN_KILL,
    PLAN_STOP,
    PLAN_START,
    PLAN_HEAL,
};

static struct plan {
    int64_t at_ms;
    enum plan_kind kind;
} plans[PLANS_MAX];
static size_t plan_count;
static bool for_good; /* the agent never comes back */

static void plan(int64_t at_ms, enum plan_kind kind)
{
    if (plan_count < PLANS_MAX)
        plans[plan_count++] = (struct plan){at_ms, kind};
}

/* ---- what a history is made of ---- */

static enum plan_kind draw_kind(void)
{
    static const unsigned char weights[] = {
        [PLAN_ISSUE] = 36,  [PLAN_RENEW] = 12,  [PLAN_REVOKE] = 8,  [PLAN_EXIT] = 6,
        [PLAN_GO_AWAY] = 3, [PLAN_WRITTEN] = 4, [PLAN_HOLDER] = 3,  [PLAN_TROUBLE] = 12,
        [PLAN_FULL] = 2,    [PLAN_JUMP] = 4,    [PLAN_SUSPEND] = 2, [PLAN_KILL] = 6,
        [PLAN_STOP] = 2};
    size_t count = sim.calm ? PLAN_CALM_KINDS : sizeof weights;
    unsigned total = 0, at;

    for (size_t i = 0; i < count; i++)
        total += weights[i];
    at = (unsigned)sim_random(total);
    for (size_t i = 0; i < count; i++) {
        if (at < weights[i])
            return (enum plan_kind)i;
        at -= weights[i];
    }
    return PLAN_ISSUE;
}

static void draw_history(void)
{
    static const unsigned crash_chances[] = {0, 0, 20, 60, 200};
    int64_t length_ms = sim_chance(2000) ? sim_between(200000, 1800000) : sim_between(5000, 200000);
    uint64_t count = 4 + sim_random(PLANS_MAX - 24);

    plan_count = 0;
    sim.calm = sim_chance(1500);
    sim.path_scoped = sim_chance(3000);
    for_good = !sim.calm && sim_chance(700);
    if (!sim.calm) {
        sim.crash_chance = crash_chances[sim_random(5)];
        sim.wall_shift_ms = sim_chance(3000) ? sim_between(-200000, 200000) : 0;
    }
    plan(sim.now_ms + sim_between(0, 2000), PLAN_ISSUE);
    for (uint64_t i = 0; i < count; i++)
        plan(sim.now_ms + sim_between(0, length_ms), draw_kind());
    plan(sim.now_ms + length_ms, PLAN_HEAL);
}

static int64_t draw_trouble_ms(void)
{
    return sim_chance(800) ? sim_between(120000, 1500000) : sim_between(200, 60000);
}

static void begin_trouble(void)
{
    static const char *const actions[] = {"CreateUser",       "PutUserPolicy", "CreateAccessKey",
                                          "DeleteAccessKey",  "GetUser",       "ListAccessKeys",
                                          "DeleteUserPolicy", "DeleteUser",    "AssumeRole"};

    sim.trouble =
        sim_chance(5000) ? TROUBLE_NOISE : (enum trouble)(1 + sim_random(TROUBLE_COUNT - 1));
    snprintf(sim.denied, sizeof sim.denied, "%s",
             actions[sim_random(sizeof actions / sizeof actions[0])]);
    sim.refused = sim.refused || sim.trouble == TROUBLE_DENIED || sim.trouble == TROUBLE_BAD_KEY;
    sim_note("trouble %d at AWS", sim.trouble);
    plan(sim.now_ms + draw_trouble_ms(), PLAN_TROUBLE_ENDS);
}

static void set_clock(int64_t shift_ms)
{
    sim_note("the wall clock is set by %.1f s", (double)(shift_ms - sim.wall_shift_ms) / 1000);
    sim.wall_shift_ms = shift_ms;
    sim.jumped = true;
}

static void suspend(void)
{
    int64_t ms = sim_between(1000, 1200000);

    sim_note("suspended for %.0f s", (double)ms / 1000);
    sim.suspended_ms += ms;
    sim_pass(ms);
    sim.jumped = true; /* the kernel tells of a clock that was set */
}

static void agent_gone(void)
{
    clients_agent_gone();
    plan(sim.now_ms + (sim_chance(1000) ? sim_between(60000, 900000) : sim_between(0, 20000)),
         PLAN_START);
}

static void heal(void)
{
    sim_note("healed");
    sim.trouble = TROUBLE_NONE;
    sim.store_full = false;
    sim.ending = true;
    sim.healed_ms = sim.now_ms;
    clients_exit_all();
    if (sim.wall_shift_ms > 200000 || sim.wall_shift_ms < -200000) {
        /* What was put off by a clock that was ahead is so, up to ten minutes. */
        sim.healed_ms += sim.wall_shift_ms > 0 ? sim.wall_shift_ms : 0;
        set_clock(0);
    }
    if (!world.alive && !for_good)
        world_boot();
    if (world.alive)
        clients_reply_written();
}

static void holder_adds(void)
{
    struct cloud_user *user;
    size_t count = 0;

    while (cloud_nth(count) != NULL)
        count++;
    user = cloud_nth(sim_random(count));
    if (user->exists && !user->stranger)
        cloud_holder_adds(user);
}

/* Not inside a call. */
static bool needs_quiet(enum plan_kind kind)
{
    return kind == PLAN_SUSPEND || kind == PLAN_STOP || kind == PLAN_HEAL;
}

static void carry_out(enum plan_kind kind)
{
    switch (kind) {
    case PLAN_ISSUE:
        clients_issue();
        break;
    case PLAN_RENEW:
        clients_renew();
        break;
    case PLAN_REVOKE:
        clients_revoke();
        break;
    case PLAN_EXIT:
        clients_exit_one();
        break;
    case PLAN_GO_AWAY:
        if (world.alive)
            clients_go_away();
        break;
    case PLAN_WRITTEN:
        if (world.alive)
            clients_reply_written();
        break;
    case PLAN_HOLDER:
        holder_adds();
        break;
    case PLAN_TROUBLE:
        begin_trouble();
        break;
    case PLAN_TROUBLE_ENDS:
        sim.trouble = TROUBLE_NONE;
        sim_note("AWS is well");
        break;
    case PLAN_FULL:
        sim.store_full = sim.store_troubled = true;
        sim.store_shut = sim_chance(5000);
        sim_note("the store is full%s", sim.store_shut ? ", its reserve too" : "");
        plan(sim.now_ms + sim_between(100, 60000), PLAN_FULL_ENDS);
        break;
    case PLAN_FULL_ENDS:
        sim.store_full = false;
        break;
    case PLAN_JUMP:
        set_clock(sim_chance(8500) ? sim_between(-200000, 200000) : sim_between(-3600000, 3600000));
        break;
    case PLAN_SUSPEND:
        suspend();
        break;
    case PLAN_KILL:
        if (world.alive)
            longjmp(sim.crash, 1);
        break;
    case PLAN_STOP:
        if (world.alive) {
            world_stop();
            agent_gone();
        }
        break;
    case PLAN_START:
        if (!world.alive)
            world_boot();
        break;
    case PLAN_HEAL:
        heal();
        break;
    }
}

static void carry_out_due(void)
{
    for (size_t i = 0; i < plan_count;) {
        struct plan due = plans[i];

        if (due.at_ms > sim.now_ms || (sim.depth > 0 && needs_quiet(due.kind))) {
            i++;
            continue;
        }
        plans[i] = plans[--plan_count];
        if (!sim.ending || due.kind == PLAN_START || due.kind == PLAN_WRITTEN)
            carry_out(due.kind);
    }
}

/* Inside a call: what the loop and the other workers do while this one waits. */
void sim_meanwhile(void)
{
    if (sim.depth == 0 || sim.depth >= 3 || !sim_chance(2500))
        return;
    carry_out_due();
    world_turn_once();
}

/* ---- time ---- */

static void pass_to_next(void)
{
    int64_t next_ms = world.alive ? world_next_ms() : sim.now_ms + 60000;

    for (size_t i = 0; i < plan_count; i++)
        if (plans[i].at_ms < next_ms)
            next_ms = plans[i].at_ms;
    if (!sim.calm && sim_chance(2000)) /* a busy machine */
        next_ms += sim_between(0, 300);
    sim_pass(next_ms > sim.now_ms ? next_ms - sim.now_ms : 0);
}

static bool is_over(void)
{
    const struct lease *lease;

    if (!sim.ending || plan_count > 0 || (world.alive && world_busy()))
        return false;
    for (size_t i = 0; (lease = fake_store_nth(i)) != NULL; i++)
        if (lease_is_live(lease))
            return false;
    return true;
}

static int64_t last_end_ms(void)
{
    const struct lease *lease;
    int64_t end_ms = sim.now_ms;

    for (size_t i = 0; (lease = fake_store_nth(i)) != NULL; i++)
        if (lease_is_live(lease) && lease->expires_ms > end_ms)
            end_ms = lease->expires_ms;
    return end_ms;
}

static void begin(void)
{
    check_reset();
    cloud_reset();
    clients_begin();
    world_begin();
    draw_history();
    world_boot();
}

static void end_for_good(void)
{
    const struct lease *lease;
    int64_t end_ms = sim.now_ms;

    if (world.alive) {
        world_killed();
        clients_agent_gone();
    }
    for (size_t i = 0; (lease = fake_store_nth(i)) != NULL; i++)
        if (lease->last_end_ms > end_ms)
            end_ms = lease->last_end_ms;
    sim_pass(end_ms + 1001 - sim.now_ms);
    check_every_key_ends();
}

static void run(void)
{
    volatile int64_t limit_ms = 0; /* after a longjmp */

    if (setjmp(sim.crash) != 0) {
        world_killed();
        agent_gone();
    }
    while (!is_over() && !(for_good && sim.ending)) {
        carry_out_due();
        if (world.alive)
            world_turn();
        check_every_key_ends();
        if (sim.calm)
            check_not_late();
        if (sim.ending)
            check_not_late_again();
        pass_to_next();
        if (sim.ending && limit_ms == 0)
            limit_ms = last_end_ms() + SETTLE_MS;
        if (sim.ending && sim.now_ms > limit_ms)
            break;
    }
    if (for_good) {
        end_for_good();
        return;
    }
    world_turn();
    sim_pass(60000); /* what is late comes now */
    check_nothing_left();
    world_stop();
}

bool history_run(uint64_t seed, bool trace)
{
    sim_begin(seed, trace);
    if (setjmp(sim.over) == 0) {
        begin();
        run();
    }
    return !sim.violated;
}
