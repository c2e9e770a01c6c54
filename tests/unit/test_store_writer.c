/* SPDX-License-Identifier: Apache-2.0 */
/* The writer thread: group commit, replay, faults, threads, crashes. */
#include "store/store.h"

#include "base/clock.h"
#include "base/thread_role.h"
#include "store_fixture.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define OPS 40
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

/* ---- operations that put one lease, many queued at once ---- */

struct test_op {
    struct store_op op;
    uint32_t number;
    int answer;          /* what apply returns after its put */
    bool refuse_at_once; /* … or before it */
    int runs;            /* how often it was applied */
    int applied_as;      /* position in the order of (last) applications */
    int done_as;         /* position in the order of completion, -1: not yet */
    bool seen;           /* its lease could be read when done() ran */
};

static struct test_op ops[OPS];
static int applied, completed; /* writer thread */
static struct store *current;
static sem_t gate, entered, all_done;

static int apply_put(struct store_txn *txn, void *arg, struct err *err)
{
    struct test_op *op = arg;
    struct lease lease;
    int rc;

    op->runs++;
    op->applied_as = applied++;
    if (op->refuse_at_once)
        return err_set(err, KMS_EREFUSED, "refused at once");
    memset(&lease, 0, sizeof lease);
    lease.id = fixture_id(op->number);
    lease.state = LEASE_ACTIVE;
    strcpy(lease.secret, "s");
    lease.owner.uid = 7;
    rc = store_put(txn, &lease, err);
    if (rc != 0)
        return rc;
    return op->answer == 0 ? 0 : err_set(err, op->answer, "refused after the put");
}

static void note_done(struct store_op *op)
{
    struct test_op *test_op = op->arg;
    struct uuid id = fixture_id(test_op->number);
    struct lease lease;
    struct err err;

    test_op->done_as = completed++;
    test_op->seen = store_read(current, &id, &lease, &err) == 0;
    if (completed == OPS)
        sem_post(&all_done);
}

static int apply_gate(struct store_txn *txn, void *arg, struct err *err)
{
    (void)txn;
    (void)arg;
    (void)err;
    sem_post(&entered);
    while (sem_wait(&gate) != 0)
        ;
    return 0;
}

static struct store_op gate_op = {.apply = apply_gate};

/* Holds the writer up: what is submitted until open_gate() shares the next batch. */
static void close_gate(struct store *store)
{
    sem_init(&gate, 0, 0);
    sem_init(&entered, 0, 0);
    sem_init(&all_done, 0, 0);
    applied = completed = 0;
    current = store;
    memset(ops, 0, sizeof ops);
    for (uint32_t i = 0; i < OPS; i++)
        ops[i] = (struct test_op){.op = {.apply = apply_put, .done = note_done, .arg = &ops[i]},
                                  .number = i,
                                  .done_as = -1};
    store_submit(store, &gate_op);
    sem_wait(&entered);
}

static void run_batch(struct store *store)
{
    for (size_t i = 0; i < OPS; i++)
        store_submit(store, &ops[i].op);
    sem_post(&gate);
    while (sem_wait(&all_done) != 0)
        ;
}

static void assert_answers(int expected_runs_max)
{
    for (int i = 0; i < OPS; i++) {
        int expected = ops[i].refuse_at_once ? KMS_EREFUSED : ops[i].answer;

        assert_int_equal(ops[i].op.rc, expected);
        assert_int_equal(ops[i].op.err.code, expected);
        assert_int_equal(ops[i].done_as, i); /* in the order of submission */
        assert_int_equal(ops[i].seen, expected == 0);
        assert_true(ops[i].runs >= 1 && ops[i].runs <= expected_runs_max);
    }
}

static void test_a_batch_shares_one_commit(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);

    (void)state;
    close_gate(store);
    run_batch(store);
    assert_answers(1);
    assert_int_equal(fixture_stats(store).commits, 1);
    assert_int_equal(fixture_stats(store).operations, OPS + 1);
    assert_int_equal(fixture_stats(store).live, OPS);
    store_close(store);
}

static void test_refusals_before_a_change_cost_nothing(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);

    (void)state;
    close_gate(store);
    for (int i = 0; i < OPS; i += 2)
        ops[i].refuse_at_once = true;
    run_batch(store);
    assert_answers(1);
    assert_int_equal(fixture_stats(store).commits, 1);
    assert_int_equal(fixture_stats(store).leases, OPS / 2);
    store_close(store);
}

static void test_a_failing_operation_spoils_nobody(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);

    (void)state;
    close_gate(store);
    ops[7].answer = KMS_ELIMIT;
    ops[13].answer = KMS_EREFUSED;
    run_batch(store);
    assert_answers(3);
    assert_string_equal(ops[7].op.err.message, "refused after the put");
    assert_int_equal(fixture_stats(store).commits, 1);
    assert_int_equal(fixture_stats(store).live, OPS - 2);
    store_close(store);
}

static void test_many_failing_operations_spoil_nobody(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);

    (void)state;
    close_gate(store);
    for (int i = 0; i < OPS; i += 3)
        ops[i].answer = KMS_ELIMIT;
    run_batch(store);
    assert_answers(5);
    assert_int_equal(fixture_stats(store).live, OPS - (OPS + 2) / 3);
    store_close(store);
}

/* ---- commits that fail ---- */

struct fault {
    uint64_t from, to; /* these commits */
    int rc;
    int fatal; /* on_fatal calls */
    char message[ERR_MESSAGE_MAX];
};

static int inject(uint64_t number, void *arg)
{
    const struct fault *fault = arg;

    return number >= fault->from && number <= fault->to ? fault->rc : 0;
}

static void note_fatal(const struct err *err, void *arg)
{
    struct fault *fault = arg;

    fault->fatal++;
    FIXTURE_CHECK(thread_role == THREAD_STORE);
    snprintf(fault->message, sizeof fault->message, "%s", err->message);
}

static struct store *open_with(struct fault *fault)
{
    struct store_options opened = fixture_options();

    opened.commit_fault = inject;
    opened.on_fatal = note_fatal;
    opened.arg = fault;
    return fixture_open(&opened);
}

static void check_replay(int rc)
{
    struct fault fault = {.from = 1, .to = 1, .rc = rc};
    struct store *store = open_with(&fault);
    int last_urgent = 0, first_other = INT32_MAX;

    close_gate(store);
    for (int i = 0; i < OPS; i += 4)
        ops[i].op.urgent = true;
    run_batch(store);
    assert_answers(2);
    for (int i = 0; i < OPS; i++) {
        if (ops[i].op.urgent && ops[i].applied_as > last_urgent)
            last_urgent = ops[i].applied_as;
        if (!ops[i].op.urgent && ops[i].applied_as < first_other)
            first_other = ops[i].applied_as;
    }
    assert_true(last_urgent < first_other);
    assert_int_equal(fixture_stats(store).commits, OPS);
    assert_int_equal(fault.fatal, 0);
    store_close(store);
}

static void test_a_spoiled_batch_is_replayed_urgent_first(void **state)
{
    (void)state;
    check_replay(ENOSPC);
    fixture_remove(fixture_path);
    fixture_directory(fixture_path, false);
    check_replay(MDB_MAP_FULL);
}

static void test_a_full_disk_fails_operations_and_passes(void **state)
{
    struct fault fault = {.from = 1, .to = 1 + OPS, .rc = ENOSPC};
    struct store *store = open_with(&fault);

    (void)state;
    close_gate(store);
    run_batch(store);
    for (int i = 0; i < OPS; i++) {
        assert_int_equal(ops[i].op.rc, KMS_ESTOREFULL);
        assert_non_null(strstr(ops[i].op.err.message, fixture_path));
        assert_false(ops[i].seen);
    }
    assert_int_equal(fixture_stats(store).leases, 0);
    assert_int_equal(fixture_stats(store).commits, 0);
    close_gate(store);
    run_batch(store);
    assert_answers(1);
    assert_int_equal(fault.fatal, 0);
    store_close(store);
}

/* One operation alone fails at the disk; the others of its batch are durable. */
static void test_a_full_disk_fails_one_of_a_batch(void **state)
{
    struct fault fault = {.from = 1, .to = 2, .rc = ENOSPC};
    struct store *store = open_with(&fault);

    (void)state;
    close_gate(store);
    run_batch(store);
    assert_int_equal(ops[0].op.rc, KMS_ESTOREFULL);
    for (int i = 1; i < OPS; i++)
        assert_int_equal(ops[i].op.rc, 0);
    assert_int_equal(fixture_stats(store).leases, OPS - 1);
    store_close(store);
}

static void check_fatal(uint64_t at, int expected_leases)
{
    struct fault fault = {.from = at, .to = at, .rc = EIO};
    struct store *store = open_with(&fault);
    struct store_options opened = fixture_options();

    if (at > 1) {
        close_gate(store);
        run_batch(store);
    }
    close_gate(store);
    for (uint32_t i = 0; i < OPS; i++)
        ops[i].number = OPS + i;
    run_batch(store);
    for (int i = 0; i < OPS; i++) {
        assert_int_equal(ops[i].op.rc, KMS_ESTORE);
        assert_false(ops[i].seen);
    }
    assert_int_equal(fault.fatal, 1);
    assert_non_null(strstr(fault.message, "Input/output error"));
    close_gate(store); /* nothing works any more, though the disk does */
    run_batch(store);
    for (int i = 0; i < OPS; i++) {
        assert_int_equal(ops[i].op.rc, KMS_ESTORE);
        assert_int_equal(ops[i].runs, 0);
    }
    assert_int_equal(fault.fatal, 1);
    assert_int_equal(fixture_stats(store).commits, at - 1);
    store_close(store);
    store = fixture_open(&opened);
    assert_int_equal(fixture_stats(store).leases, expected_leases);
    store_close(store);
}

/* After a fatal failure the gate does not run either. */
static void gate_done(struct store_op *op)
{
    if (op->rc != 0)
        sem_post(&entered);
}

static void test_an_io_error_is_fatal(void **state)
{
    (void)state;
    gate_op.done = gate_done;
    check_fatal(1, 0);
    fixture_remove(fixture_path);
    fixture_directory(fixture_path, false);
    check_fatal(2, OPS);
    gate_op.done = NULL;
}

static void test_an_io_error_without_a_handler_aborts(void **state)
{
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        struct fault fault = {.from = 1, .to = 1, .rc = EIO};
        struct store_options opened = fixture_options();
        struct store *store = NULL;
        struct test_op op = {.number = 1};
        struct err err;

        signal(SIGABRT, SIG_DFL);
        prctl(PR_SET_DUMPABLE, 0);
        opened.commit_fault = inject;
        opened.arg = &fault;
        if (store_open(&opened, "test-agent", &store, &err) != 0)
            _exit(1);
        _exit(store_run(store, apply_put, &op, true, &err) == 0 ? 2 : 3);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- threads ---- */

#define THREADS 8
#define ROUNDS 60

static int apply_increment(struct store_txn *txn, void *arg, struct err *err)
{
    struct lease lease;
    struct uuid id = fixture_id(0);
    int rc = store_get(txn, &id, &lease, err);

    if (rc == KMS_ENOLEASE) {
        memset(&lease, 0, sizeof lease);
        lease.id = id;
        lease.state = LEASE_REVOKING;
    } else if (rc != 0) {
        return rc;
    }
    lease.attempts++;
    *(uint32_t *)arg = lease.attempts;
    return store_put(txn, &lease, err);
}

static atomic_int failures;

static void *increment_often(void *arg)
{
    struct store *store = arg;
    struct uuid id = fixture_id(0);
    struct lease lease;
    struct store_stats stats;
    struct err err;
    uint32_t mine;

    for (int i = 0; i < ROUNDS; i++) {
        if (store_run(store, apply_increment, &mine, i % 2, &err) != 0 ||
            store_read(store, &id, &lease, &err) != 0 || lease.attempts < mine ||
            store_stats(store, &stats, &err) != 0 || stats.revoking != 1)
            atomic_fetch_add(&failures, 1);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);
    struct uuid id = fixture_id(0);
    pthread_t threads[THREADS];
    struct lease lease;
    struct err err = {0};

    (void)state;
    atomic_store(&failures, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, increment_often, store), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&failures), 0);
    assert_int_equal(store_read(store, &id, &lease, &err), 0);
    assert_int_equal(lease.attempts, THREADS * ROUNDS);
    assert_int_equal(fixture_stats(store).operations, THREADS * ROUNDS);
    assert_true(fixture_stats(store).commits < THREADS * ROUNDS * 3 / 4);
    store_close(store);
}

static int apply_look_at_thread(struct store_txn *txn, void *arg, struct err *err)
{
    char name[16] = "";
    sigset_t blocked;

    (void)txn;
    (void)arg;
    (void)err;
    prctl(PR_GET_NAME, name);
    FIXTURE_CHECK(strcmp(name, "store") == 0);
    FIXTURE_CHECK(thread_role == THREAD_STORE);
    FIXTURE_CHECK(pthread_sigmask(SIG_SETMASK, NULL, &blocked) == 0);
    FIXTURE_CHECK(sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGHUP) &&
                  sigismember(&blocked, SIGCHLD));
    return 0;
}

static void test_the_writer_is_a_quiet_thread(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);
    struct err err = {0};
    sigset_t blocked;

    (void)state;
    assert_int_equal(store_run(store, apply_look_at_thread, NULL, false, &err), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
    assert_false(sigismember(&blocked, SIGTERM));      /* ours are as they were */
    assert_int_equal(fixture_stats(store).commits, 0); /* nothing changed, nothing to sync */
    store_close(store);
}

static void test_close_finishes_what_is_queued(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);

    (void)state;
    close_gate(store);
    for (size_t i = 0; i < OPS; i++)
        store_submit(store, &ops[i].op);
    sem_post(&gate);
    store_close(store);
    assert_answers(1);
    store_close(NULL);
}

/* ---- operations that nobody waits for ---- */

static sem_t lazy_done;
static int64_t lazy_applied_ms;

static int apply_lazy(struct store_txn *txn, void *arg, struct err *err)
{
    lazy_applied_ms = clock_boot_ms();
    return apply_put(txn, arg, err);
}

static void note_lazy_done(struct store_op *op)
{
    struct test_op *test_op = op->arg;

    test_op->done_as = completed++;
    sem_post(&lazy_done);
}

static struct test_op make_lazy(uint32_t number)
{
    sem_init(&lazy_done, 0, 0);
    completed = 0;
    return (struct test_op){.op = {.apply = apply_lazy, .done = note_lazy_done, .lazy = true},
                            .number = number,
                            .done_as = -1};
}

static void test_a_lazy_operation_is_held_for_a_moment(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);
    struct test_op lazy = make_lazy(1);
    int64_t start_ms = clock_boot_ms();

    (void)state;
    lazy.op.arg = &lazy;
    store_submit(store, &lazy.op);
    while (sem_wait(&lazy_done) != 0)
        ;
    assert_in_range(lazy_applied_ms - start_ms, 4, 10000);
    assert_int_equal(lazy.op.rc, 0);
    assert_int_equal(fixture_stats(store).commits, 1);
    store_close(store);
}

static void test_an_operation_takes_the_lazy_ones_along(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);
    struct test_op lazy = make_lazy(1), prompt = {.number = 2};
    struct err err = {0};

    (void)state;
    lazy.op.arg = &lazy;
    store_submit(store, &lazy.op);
    assert_int_equal(store_run(store, apply_put, &prompt, false, &err), 0);
    assert_int_equal(lazy.done_as, 0); /* it was not left behind */
    assert_int_equal(lazy.op.rc, 0);
    assert_int_equal(fixture_stats(store).live, 2);
    store_close(store);
}

static void test_close_finishes_lazy_operations(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);
    struct test_op lazy = make_lazy(1);

    (void)state;
    lazy.op.arg = &lazy;
    store_submit(store, &lazy.op);
    store_close(store);
    assert_int_equal(lazy.done_as, 0);
    assert_int_equal(lazy.op.rc, 0);
}

/* ---- crashes ---- */

/* Commits leases for ever; says the number of each on the pipe once it is durable. */
static void commit_for_ever(int fd, uint32_t first)
{
    struct store_options opened = fixture_options();
    struct store *store = NULL;
    struct err err;

    if (store_open(&opened, "test-agent", &store, &err) != 0)
        _exit(1);
    for (uint32_t i = first;; i++) {
        struct test_op op = {.number = i};

        if (store_run(store, apply_put, &op, false, &err) != 0 || write(fd, &i, sizeof i) < 0)
            _exit(2);
    }
}

static uint32_t run_and_kill(uint32_t first, useconds_t after_us)
{
    uint32_t number, last = first;
    int fds[2], status;
    pid_t child;

    assert_int_equal(pipe(fds), 0);
    child = fork();
    if (child == 0)
        commit_for_ever(fds[1], first);
    close(fds[1]);
    assert_int_equal(read(fds[0], &number, sizeof number), sizeof number);
    usleep(after_us);
    kill(child, SIGKILL);
    do
        last = number + 1;
    while (read(fds[0], &number, sizeof number) == sizeof number);
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return last;
}

static void test_what_was_answered_outlives_a_kill(void **state)
{
    struct store_options opened = fixture_options();
    uint32_t acknowledged = 0;

    (void)state;
    for (int round = 0; round < 15; round++) {
        struct store *store;
        struct store_stats stats;

        acknowledged = run_and_kill(acknowledged, fixture_below(20000));
        store = fixture_open(&opened);
        stats = fixture_stats(store);
        assert_true(stats.leases == acknowledged || stats.leases == acknowledged + 1);
        assert_int_equal(stats.live, stats.leases);
        acknowledged = (uint32_t)stats.leases;
        store_close(store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_batch_shares_one_commit),
        TEST(test_refusals_before_a_change_cost_nothing),
        TEST(test_a_failing_operation_spoils_nobody),
        TEST(test_many_failing_operations_spoil_nobody),
        TEST(test_a_spoiled_batch_is_replayed_urgent_first),
        TEST(test_a_full_disk_fails_operations_and_passes),
        TEST(test_a_full_disk_fails_one_of_a_batch),
        TEST(test_an_io_error_is_fatal),
        TEST(test_an_io_error_without_a_handler_aborts),
        TEST(test_threads),
        TEST(test_the_writer_is_a_quiet_thread),
        TEST(test_close_finishes_what_is_queued),
        TEST(test_a_lazy_operation_is_held_for_a_moment),
        TEST(test_an_operation_takes_the_lazy_ones_along),
        TEST(test_close_finishes_lazy_operations),
        TEST(test_what_was_answered_outlives_a_kill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
