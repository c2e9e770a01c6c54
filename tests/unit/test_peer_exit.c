/* SPDX-License-Identifier: Apache-2.0 */
/* Leases bound to processes: real children, exits, refusals, and the scan that finds processes
 * again after a start. */
#include "schedule_fakes.h"

#include "base/descriptors.h"
#include "schedule/process.h"

#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static pid_t child_start(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    return pid;
}

static void child_end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void bind_child(struct fake *fake, unsigned number, pid_t pid)
{
    struct uuid id = fake_id(number);
    struct err err;

    assert_int_equal(schedule_bind(fake->schedule, &id, pidfd_open(pid, 0), &err), 0);
}

static unsigned bound(struct fake *fake)
{
    struct schedule_stats stats;

    schedule_stats(fake->schedule, &stats);
    return stats.bound_processes;
}

/* The watch goes when the job's end reached the loop. */
static void wait_bound(struct fake *fake, unsigned count)
{
    for (int i = 0; i < 5000 && bound(fake) != count; i++)
        fake_turn(fake, 1);
    assert_int_equal(bound(fake), count);
}

static void test_exit_revokes(void **state)
{
    struct fake *fake = *state;
    pid_t first = child_start(), second = child_start();

    fake_schedule(fake, 8, 10);
    bind_child(fake, 1, first);
    bind_child(fake, 2, second);
    assert_int_equal(bound(fake), 2);
    fake_turn(fake, 30);
    assert_int_equal(fake_notes(fake), 0);
    child_end(first);
    fake_wait_notes(fake, 1);
    assert_int_equal(fake_number(&fake->notes[0].id), 1);
    assert_int_equal(fake->notes[0].reason, REVOKE_PEER_EXIT);
    assert_int_equal(fake->notes[0].lane, LANE_REVOKE);
    wait_bound(fake, 1);
    child_end(second);
    fake_wait_notes(fake, 2);
    wait_bound(fake, 0);
}

static void test_no_pidfd_is_an_error(void **state)
{
    struct fake *fake = *state;
    struct uuid id = fake_id(7);
    struct err err;

    fake_schedule(fake, 8, 10);
    assert_int_equal(schedule_bind(fake->schedule, &id, -1, &err), KMS_EINTERNAL);
    assert_int_equal(bound(fake), 0);
}

static void test_exited_before_binding(void **state)
{
    struct fake *fake = *state;
    struct uuid id = fake_id(7);
    struct err err;
    siginfo_t info;
    pid_t pid = child_start();
    int pidfd = pidfd_open(pid, 0);

    fake_schedule(fake, 8, 10);
    kill(pid, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(schedule_bind(fake->schedule, &id, pidfd, &err), 0);
    fake_wait_notes(fake, 1);
    assert_int_equal(fake->notes[0].reason, REVOKE_PEER_EXIT);
    waitpid(pid, NULL, 0);
}

static void test_binding_again_replaces(void **state)
{
    struct fake *fake = *state;
    pid_t first = child_start(), second = child_start();

    fake_schedule(fake, 8, 10);
    bind_child(fake, 1, first);
    bind_child(fake, 1, second);
    assert_int_equal(bound(fake), 1);
    child_end(first);
    fake_turn(fake, 50);
    assert_int_equal(fake_notes(fake), 0);
    child_end(second);
    fake_wait_notes(fake, 1);
}

static void test_unbind(void **state)
{
    struct fake *fake = *state;
    struct uuid id = fake_id(1);
    pid_t pid = child_start();

    fake_schedule(fake, 8, 10);
    bind_child(fake, 1, pid);
    schedule_unbind(fake->schedule, &id);
    assert_int_equal(bound(fake), 0);
    child_end(pid);
    fake_turn(fake, 50);
    assert_int_equal(fake_notes(fake), 0);
}

/* A lease that was revoked through the due index needs its process no more; one that is active
 * still does. */
static void test_ended_lease_is_unbound(void **state)
{
    struct fake *fake = *state;
    pid_t pid = child_start();
    struct err err;

    fake_schedule(fake, 8, 10);
    assert_int_equal(schedule_start(fake->schedule, &err), 0);
    bind_child(fake, 1, pid);
    fake_add_row(fake, 1, DUE_RENEW, clock_aws_ms());
    schedule_poke(fake->schedule);
    fake_wait_notes(fake, 1);
    fake_turn(fake, 20);
    assert_int_equal(bound(fake), 1);
    fake->after = LEASE_REVOKED;
    fake_add_row(fake, 1, DUE_REVOKE, clock_aws_ms());
    schedule_poke(fake->schedule);
    fake_wait_notes(fake, 2);
    wait_bound(fake, 0);
    child_end(pid);
    fake_turn(fake, 50);
    assert_int_equal(fake_notes(fake), 2);
}

/* A store that fails, or no memory, is no reason to forget. */
static void test_retry_until_durable(void **state)
{
    struct fake *fake = *state;
    pid_t pid = child_start();

    fake_schedule(fake, 8, 10);
    fake->revoke_none = true;
    bind_child(fake, 1, pid);
    child_end(pid);
    fake_turn(fake, 100);
    assert_int_equal(fake_notes(fake), 0);
    assert_int_equal(bound(fake), 1);
    fake->revoke_none = false;
    pthread_mutex_lock(&fake->lock);
    fake->revoke_rc = KMS_ESTORE;
    pthread_mutex_unlock(&fake->lock);
    fake_wait_notes(fake, 2); /* by the retry timer */
    assert_int_equal(bound(fake), 1);
    pthread_mutex_lock(&fake->lock);
    fake->revoke_rc = 0;
    pthread_mutex_unlock(&fake->lock);
    fake_wait_notes(fake, 3);
    wait_bound(fake, 0);
}

static void test_lease_gone_ends_it(void **state)
{
    struct fake *fake = *state;
    pid_t pid = child_start();

    fake_schedule(fake, 8, 10);
    fake->revoke_rc = KMS_ENOLEASE;
    bind_child(fake, 1, pid);
    child_end(pid);
    wait_bound(fake, 0);
    fake_turn(fake, 400);
    assert_int_equal(fake_notes(fake), 1);
}

/* All at once: bounded memory, and each is revoked once. */
static void test_many_exits(void **state)
{
    enum { COUNT = 400 };
    struct fake *fake = *state;
    pid_t pid = child_start();
    bool seen[COUNT] = {false};

    fake_schedule(fake, 64, 10);
    for (unsigned i = 0; i < COUNT; i++)
        bind_child(fake, i, pid);
    child_end(pid);
    fake_wait_notes(fake, COUNT);
    wait_bound(fake, 0);
    assert_true(fake->jobs_most <= 32);
    for (size_t i = 0; i < COUNT; i++) {
        assert_false(seen[fake_number(&fake->notes[i].id)]);
        seen[fake_number(&fake->notes[i].id)] = true;
    }
}

/* ---- after a start ---- */

static void add_bound(struct fake *fake, unsigned number, pid_t pid, int start_time_off)
{
    struct lease *lease = &fake->bound[fake->bound_count++];
    struct err err;
    int pidfd = pidfd_open(pid, 0);

    *lease = (struct lease){.id = fake_id(number), .state = LEASE_ACTIVE, .bound = true};
    if (pidfd >= 0) {
        assert_int_equal(process_describe(pidfd, pid, &lease->process, &err), 0);
        close(pidfd);
    }
    lease->process.start_time += (uint64_t)start_time_off;
}

static void test_processes_found_again(void **state)
{
    struct fake *fake = *state;
    pid_t living = child_start(), reused = child_start(), gone = child_start();
    struct err err;

    add_bound(fake, 1, living, 0);
    add_bound(fake, 2, reused, -1); /* its pid is another process's by now */
    add_bound(fake, 3, gone, 0);
    add_bound(fake, 4, -1, 0); /* in another pid namespace */
    add_bound(fake, 5, gone, 0);
    fake->bound[4].state = LEASE_ISSUING; /* recovery's, not ours */
    child_end(gone);
    fake_schedule(fake, 8, 10);
    assert_int_equal(schedule_start(fake->schedule, &err), 0);
    fake_wait_notes(fake, 2);
    wait_bound(fake, 1);
    for (int i = 0; i < 2; i++) {
        assert_in_range(fake_number(&fake->notes[i].id), 2, 3);
        assert_int_equal(fake->notes[i].reason, REVOKE_PEER_EXIT);
    }
    child_end(living);
    fake_wait_notes(fake, 3);
    assert_int_equal(fake_number(&fake->notes[2].id), 1);
    child_end(reused);
}

/* A list that fails revokes nothing and unbinds nothing. */
static void test_failed_list_changes_nothing(void **state)
{
    struct fake *fake = *state;
    pid_t pid = child_start();
    struct err err;

    fake->bound_rc = KMS_ESTORE;
    add_bound(fake, 1, pid, -1);
    fake_schedule(fake, 8, 10);
    bind_child(fake, 9, pid);
    assert_int_equal(schedule_start(fake->schedule, &err), 0);
    fake_turn(fake, 100);
    assert_int_equal(fake->bound_lists, 1);
    assert_int_equal(fake_notes(fake), 0);
    assert_int_equal(bound(fake), 1);
    child_end(pid);
    fake_wait_notes(fake, 1);
}

/* What is watched and no longer bound in the store is dropped. */
static void test_scan_drops_what_ended(void **state)
{
    struct fake *fake = *state;
    pid_t pid = child_start();
    struct err err;

    add_bound(fake, 1, pid, 0);
    fake_schedule(fake, 8, 10);
    bind_child(fake, 1, pid);
    bind_child(fake, 2, pid); /* its lease has ended */
    assert_int_equal(schedule_start(fake->schedule, &err), 0);
    wait_bound(fake, 1);
    child_end(pid);
    fake_wait_notes(fake, 1);
    assert_int_equal(fake_number(&fake->notes[0].id), 1);
}

/* ---- descriptors ---- */

/* What is watched is counted, and what is not watched any more is not, whatever ended it. */
static void test_watched_are_counted(void **state)
{
    struct fake *fake = *state;
    pid_t first = child_start(), second = child_start();
    struct uuid id = fake_id(2);

    fake_schedule(fake, 8, 10);
    bind_child(fake, 1, first);
    bind_child(fake, 2, first);
    bind_child(fake, 3, first);
    bind_child(fake, 3, second);
    assert_int_equal(descriptors_bound(), 3);
    schedule_unbind(fake->schedule, &id);
    assert_int_equal(descriptors_bound(), 2);
    child_end(first);
    fake_wait_notes(fake, 1);
    assert_int_equal(descriptors_bound(), 1);
    child_end(second);
    wait_bound(fake, 0);
    assert_int_equal(descriptors_bound(), 0);
}

/* More processes of the last run than the limit has descriptors for by now: those that are left
 * over take none, and are ended by a later scan when they are gone. */
static void test_found_beyond_the_limit(void **state)
{
    struct fake *fake = *state;
    pid_t living = child_start(), gone = child_start();
    unsigned taken = 0;
    struct err err;

    (void)descriptors_share_out(8);
    while (descriptors_bound() + 2 < descriptors_bound_max()) {
        descriptors_add_bound();
        taken++;
    }
    for (unsigned i = 1; i <= 5; i++)
        add_bound(fake, i, living, 0);
    add_bound(fake, 6, gone, 0);
    child_end(gone);
    fake_schedule(fake, 8, 10);
    assert_int_equal(schedule_start(fake->schedule, &err), 0);
    fake_wait_notes(fake, 1);
    assert_int_equal(fake_number(&fake->notes[0].id), 6);
    wait_bound(fake, 2);
    assert_int_equal(descriptors_bound(), descriptors_bound_max());
    child_end(living);
    fake_wait_notes(fake, 3);
    wait_bound(fake, 0);
    assert_int_equal(descriptors_bound(), taken);
    while (taken-- > 0)
        descriptors_give_bound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_exit_revokes, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(test_no_pidfd_is_an_error, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(test_exited_before_binding, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(test_binding_again_replaces, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(test_unbind, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(test_ended_lease_is_unbound, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(test_retry_until_durable, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(test_lease_gone_ends_it, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(test_many_exits, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(test_processes_found_again, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(test_failed_list_changes_nothing, fake_setup,
                                        fake_teardown),
        cmocka_unit_test_setup_teardown(test_scan_drops_what_ended, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(test_watched_are_counted, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(test_found_beyond_the_limit, fake_setup, fake_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
