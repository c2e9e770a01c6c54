/* SPDX-License-Identifier: Apache-2.0 */
/* Rate budgets over simulated time: rates of each class, priority, sharing, halving and recovery,
 * budgets by key. */
#include "common/err.h"
#include "job/budget.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CALLERS_MAX 400

/* Callers that always want more: each asks, and when refused sleeps until the time it was given
 * plus some lateness. */
struct caller {
    enum budget_class class_;
    int64_t wake_ms;
    int calls;
};

struct world {
    struct budget *budget;
    struct caller callers[CALLERS_MAX];
    int count;
    int taken[BUDGET_CLASS_COUNT];
    long asked;
};

static void world_add(struct world *world, enum budget_class class_, int count)
{
    while (count-- > 0)
        world->callers[world->count++] = (struct caller){.class_ = class_};
}

static void world_run(struct world *world, int64_t from_ms, int64_t until_ms)
{
    memset(world->taken, 0, sizeof world->taken);
    world->asked = 0;
    for (int64_t now = from_ms; now < until_ms; now++) {
        for (int i = 0; i < world->count; i++) {
            struct caller *caller = &world->callers[i];

            if (caller->wake_ms > now)
                continue;
            world->asked++;
            if (budget_take(world->budget, caller->class_, now, &caller->wake_ms) == 0) {
                world->taken[caller->class_]++;
                caller->calls++;
                caller->wake_ms = now + 5; /* the call itself */
            } else {
                assert_true(caller->wake_ms > now);
                assert_true(caller->wake_ms <= now + 2000);
                caller->wake_ms += 3; /* timers are late */
            }
        }
    }
}

static void test_burst_then_rate(void **state)
{
    struct world world = {.budget = budget_new(10, 20)};
    int64_t wake = 0;

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(budget_take(world.budget, BUDGET_MINT, 1000, &wake), 0);
    assert_int_equal(budget_take(world.budget, BUDGET_MINT, 1000, &wake), KMS_EAGAIN);
    assert_in_range(wake, 1001, 1110);
    world_add(&world, BUDGET_MINT, 20);
    world_run(&world, 1000, 61000);
    assert_in_range(world.taken[BUDGET_MINT], 580, 601);
    budget_free(world.budget);
}

/* 300 callers waiting for 10 calls a second get all of it, and do not ask all the time. */
static void test_crowd_gets_the_full_rate(void **state)
{
    struct world world = {.budget = budget_new(10, 20)};

    (void)state;
    world_add(&world, BUDGET_REVOKE, 300);
    world_run(&world, 1, 60001);
    assert_in_range(world.taken[BUDGET_REVOKE], 600, 621);
    assert_true(world.asked < 300 * 60);
    for (int i = 0; i < world.count; i++)
        assert_true(world.callers[i].calls < 60);
    budget_free(world.budget);
}

static void test_slow_gets_a_tenth(void **state)
{
    struct world world = {.budget = budget_new(10, 20)};

    (void)state;
    world_add(&world, BUDGET_SLOW, 50);
    world_run(&world, 1, 100001);
    assert_in_range(world.taken[BUDGET_SLOW], 90, 102);
    budget_free(world.budget);
}

static void test_priority(void **state)
{
    struct world world = {.budget = budget_new(10, 20)};
    int higher;

    (void)state;
    world_add(&world, BUDGET_MINT, 20);
    world_add(&world, BUDGET_SLOW, 20);
    world_add(&world, BUDGET_REVOKE, 20);
    world_run(&world, 1, 5001); /* the burst goes to anyone */
    world_run(&world, 5001, 65001);
    higher = world.taken[BUDGET_REVOKE];
    assert_true(higher >= 570);
    assert_true(world.taken[BUDGET_MINT] <= 6);
    assert_true(world.taken[BUDGET_SLOW] <= 6);

    world_add(&world, BUDGET_EARLY_REVOKE, 20);
    world_run(&world, 65001, 67001);
    world_run(&world, 67001, 127001);
    assert_true(world.taken[BUDGET_EARLY_REVOKE] >= 570);
    assert_true(world.taken[BUDGET_REVOKE] <= 6);
    budget_free(world.budget);
}

/* When the higher class stops asking, the lower one goes on within the moment it was remembered. */
static void test_priority_is_forgotten(void **state)
{
    struct budget *budget = budget_new(10, 1);
    int64_t wake = 0, mint_wake = 0;

    (void)state;
    assert_int_equal(budget_take(budget, BUDGET_MINT, 1000, &wake), 0);
    assert_int_equal(budget_take(budget, BUDGET_EARLY_REVOKE, 1000, &wake), KMS_EAGAIN);
    assert_int_equal(budget_take(budget, BUDGET_MINT, wake + 100, &mint_wake), KMS_EAGAIN);
    assert_int_equal(budget_take(budget, BUDGET_MINT, wake + 260, &mint_wake), 0);
    budget_free(budget);
}

static void test_cleanup_and_mints_share(void **state)
{
    struct world world = {.budget = budget_new(10, 20)};
    int cleanup, mint;

    (void)state;
    world_add(&world, BUDGET_CLEANUP, 200);
    world_add(&world, BUDGET_MINT, 10);
    world_run(&world, 1, 5001);
    world_run(&world, 5001, 65001);
    cleanup = world.taken[BUDGET_CLEANUP];
    mint = world.taken[BUDGET_MINT];
    assert_in_range(cleanup + mint, 570, 621);
    assert_in_range(cleanup, 240, 360);
    assert_in_range(mint, 240, 360);
    budget_free(world.budget);
}

/* Clean-ups that ask all the time do not snatch each token before the mints, which come back when
 * told to. */
static void test_sharing_is_no_race(void **state)
{
    struct budget *budget = budget_new(10, 20);
    int64_t ignored, wake = 0;
    int cleanup = 0, mint = 0;

    (void)state;
    for (int64_t now = 1; now < 60001; now++) {
        if (budget_take(budget, BUDGET_CLEANUP, now, &ignored) == 0)
            cleanup++;
        if (now < wake + 3)
            continue;
        if (budget_take(budget, BUDGET_MINT, now, &wake) == 0)
            mint++;
    }
    assert_in_range(cleanup + mint, 570, 621);
    assert_true(mint >= 200);
    assert_true(cleanup >= 200);
    budget_free(budget);
}

static void test_halving_and_recovery(void **state)
{
    struct budget *budget = budget_new(10, 20);
    int64_t wake = 0;

    (void)state;
    assert_int_equal(budget_take(budget, BUDGET_MINT, 1000, &wake), 0);
    budget_throttled(budget, 1000);
    budget_throttled(budget, 1001); /* of the same burst: no second halving */
    assert_true(budget_rate(budget, 1001) < 5.1);
    assert_true(budget_rate(budget, 1001) >= 5);
    /* The saved-up burst is gone. */
    assert_int_equal(budget_take(budget, BUDGET_MINT, 1002, &wake), KMS_EAGAIN);
    assert_true(budget_rate(budget, 3000) > 6.9);
    assert_true(budget_rate(budget, 3000) < 7.1);
    assert_true(budget_rate(budget, 7000) == 10);
    for (int64_t now = 7000; now < 60000; now += 100)
        budget_throttled(budget, now);
    assert_true(budget_rate(budget, 60000) >= 0.5);
    assert_true(budget_rate(budget, 60000) < 2.1);
    budget_free(budget);
}

static void test_set_rate_keeps_the_adaption(void **state)
{
    struct budget *budget = budget_new(10, 20);

    (void)state;
    budget_throttled(budget, 1000);
    budget_set_rate(budget, 100, 200);
    assert_true(budget_rate(budget, 1000) == 50);
    budget_free(budget);
}

static void test_set(void **state)
{
    struct budget_set *set = budget_set_new(1, 1);
    struct budget *first = budget_set_get(set, "111122223333"), *shared;
    int64_t wake;
    char key[32];

    (void)state;
    assert_ptr_equal(budget_set_get(set, "111122223333"), first);
    assert_ptr_not_equal(budget_set_get(set, "444455556666"), first);
    for (int i = 2; i < 64; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_non_null(budget_set_get(set, key));
    }
    shared = budget_set_get(set, "one too many");
    assert_non_null(shared);
    assert_ptr_equal(budget_set_get(set, "another"), shared);
    assert_ptr_equal(budget_set_get(set, "111122223333"), first);

    assert_int_equal(budget_take(first, BUDGET_MINT, 1, &wake), 0);
    assert_int_equal(budget_take(first, BUDGET_MINT, 1, &wake), KMS_EAGAIN);
    budget_set_rate_all(set, 50, 100);
    assert_true(budget_rate(first, 2) == 50);
    assert_true(budget_rate(shared, 2) == 50);
    budget_set_free(set);
}

static void *taker_main(void *arg)
{
    struct budget *budget = budget_set_get(arg, "one");
    long taken = 0;
    int64_t wake;

    for (int64_t now = 1; now < 10001; now++)
        if (budget_take(budget, BUDGET_MINT, now, &wake) == 0)
            taken++;
    return (void *)taken;
}

static void test_threads(void **state)
{
    struct budget_set *set = budget_set_new(100, 1);
    pthread_t threads[4];
    long total = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, taker_main, set);
    for (int i = 0; i < 4; i++) {
        void *taken;

        pthread_join(threads[i], &taken);
        total += (long)taken;
    }
    /* Ten seconds passed once, whoever's clock was ahead. */
    assert_in_range(total, 900, 1002);
    budget_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_rate),
        cmocka_unit_test(test_crowd_gets_the_full_rate),
        cmocka_unit_test(test_slow_gets_a_tenth),
        cmocka_unit_test(test_priority),
        cmocka_unit_test(test_priority_is_forgotten),
        cmocka_unit_test(test_cleanup_and_mints_share),
        cmocka_unit_test(test_sharing_is_no_race),
        cmocka_unit_test(test_halving_and_recovery),
        cmocka_unit_test(test_set_rate_keeps_the_adaption),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
