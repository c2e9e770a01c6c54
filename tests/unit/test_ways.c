/* SPDX-License-Identifier: Apache-2.0 */
/* Ways that are silent: one asks, the others are sent away, an answer releases them. */
#include "job/ways.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int set_up(void **state)
{
    *state = ways_new();
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    ways_free(*state);
    return 0;
}

static bool visit(struct ways *ways, uint32_t way, enum way_news news)
{
    struct way_visit visit;

    assert_true(ways_enter(ways, way, &visit));
    return ways_leave(ways, &visit, news);
}

static void one_asks_while_it_is_silent(void **state)
{
    struct ways *ways = *state;
    struct way_visit probe, other;

    assert_false(visit(ways, 7, WAY_TIMED_OUT));
    assert_true(ways_enter(ways, 7, &probe));
    assert_true(probe.probe);
    assert_false(ways_enter(ways, 7, &other));
    assert_false(ways_leave(ways, &other, WAY_ANSWERED)); /* it was sent away: it knows nothing */
    assert_true(ways_enter(ways, 8, &other));
    assert_false(ways_leave(ways, &other, WAY_ANSWERED));
    /* A probe that asked nothing, or in vain, lets the next one ask. */
    assert_false(ways_leave(ways, &probe, WAY_NOTHING));
    assert_false(visit(ways, 7, WAY_UNANSWERED));
    assert_int_equal(ways_take_released(ways), 0);
    assert_true(visit(ways, 7, WAY_ANSWERED));
    assert_int_equal(ways_take_released(ways), 7);
    assert_int_equal(ways_take_released(ways), 0);
    assert_true(ways_enter(ways, 7, &probe));
    assert_true(ways_enter(ways, 7, &other));
    assert_false(probe.probe || other.probe);
}

/* Whoever was on its way before hears the first answer, too. */
static void any_answer_ends_it(void **state)
{
    struct ways *ways = *state;
    struct way_visit early, probe, other;

    assert_true(ways_enter(ways, 7, &early));
    assert_false(visit(ways, 7, WAY_TIMED_OUT));
    assert_true(ways_enter(ways, 7, &probe));
    assert_true(ways_leave(ways, &early, WAY_ANSWERED));
    assert_true(ways_enter(ways, 7, &other));
    assert_false(ways_leave(ways, &other, WAY_ANSWERED));
    assert_false(ways_leave(ways, &probe, WAY_ANSWERED));
    assert_int_equal(ways_take_released(ways), 7);
}

/* A connection may break: three in a row make a silence. */
static void quick_failures(void **state)
{
    struct ways *ways = *state;
    struct way_visit probe, other;

    for (int round = 0; round < 3; round++) {
        assert_false(visit(ways, 7, WAY_UNANSWERED));
        assert_false(visit(ways, 7, WAY_UNANSWERED));
        assert_true(ways_enter(ways, 7, &probe));
        assert_false(probe.probe);
        assert_false(ways_leave(ways, &probe, WAY_ANSWERED));
    }
    assert_int_equal(ways_take_released(ways), 0);
    for (int i = 0; i < 3; i++)
        assert_false(ways_note(ways, 7, WAY_UNANSWERED));
    assert_true(ways_enter(ways, 7, &probe));
    assert_false(ways_enter(ways, 7, &other));
    assert_true(ways_leave(ways, &probe, WAY_ANSWERED));
}

/* Silent again before anybody took the news: it is told all the same, and silent. */
static void silent_again(void **state)
{
    struct ways *ways = *state;
    struct way_visit probe, other;

    assert_false(visit(ways, 7, WAY_TIMED_OUT));
    assert_true(visit(ways, 7, WAY_ANSWERED));
    assert_false(visit(ways, 7, WAY_TIMED_OUT));
    assert_int_equal(ways_take_released(ways), 7);
    assert_true(ways_enter(ways, 7, &probe));
    assert_false(ways_enter(ways, 7, &other));
}

static void bounded(void **state)
{
    struct ways *ways = *state;
    struct way_visit probe, other;

    for (uint32_t way = 1; way < 2000; way++)
        assert_false(ways_note(ways, way, WAY_TIMED_OUT));
    assert_true(ways_enter(ways, 1, &probe));
    assert_false(ways_enter(ways, 1, &other));
    assert_true(ways_enter(ways, 1999, &probe)); /* more than there is room for: never silent */
    assert_true(ways_enter(ways, 1999, &other));
    for (uint32_t way = 1; way < 2000; way++)
        (void)ways_note(ways, way, WAY_ANSWERED);
    for (int i = 0; i < 128; i++)
        assert_true(ways_take_released(ways) != 0);
    assert_false(ways_note(ways, 1999, WAY_TIMED_OUT)); /* there is room again */
    assert_true(ways_enter(ways, 1999, &probe));
    assert_false(ways_enter(ways, 1999, &other));
}

static void none(void **state)
{
    struct way_visit probe;

    (void)state;
    assert_false(ways_note(NULL, 7, WAY_TIMED_OUT));
    assert_true(ways_enter(NULL, 7, &probe));
    assert_false(ways_leave(NULL, &probe, WAY_ANSWERED));
    assert_int_equal(ways_take_released(NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_asks_while_it_is_silent),
        TEST(any_answer_ends_it),
        TEST(quick_failures),
        TEST(silent_again),
        TEST(bounded),
        TEST(none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
