/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox: order, one wake for many posts, sockets get their turn, many posting threads. */
#include "job/job.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct letter {
    struct mail mail;
    int number;
    struct box *box;
};

struct box {
    struct event_base *base;
    struct mailbox *mailbox;
    int delivered[20000];
    size_t count, expected;
    bool socket_turn;
    size_t count_at_socket; /* letters delivered when the socket had its turn */
};

static void on_letter(struct mail *mail)
{
    struct letter *letter = QUEUE_OF(mail, struct letter, mail);
    struct box *box = letter->box;

    box->delivered[box->count++] = letter->number;
    free(letter);
    if (box->count == box->expected)
        event_base_loopbreak(box->base);
}

static void post(struct box *box, int number)
{
    struct letter *letter = malloc(sizeof *letter);

    *letter = (struct letter){.mail.deliver = on_letter, .number = number, .box = box};
    mailbox_post(box->mailbox, &letter->mail);
}

static int setup(void **state)
{
    struct box *box = calloc(1, sizeof *box);
    struct err err;

    box->base = event_base_new();
    assert_int_equal(mailbox_new(box->base, &box->mailbox, &err), 0);
    *state = box;
    return 0;
}

static int teardown(void **state)
{
    struct box *box = *state;

    mailbox_free(box->mailbox);
    event_base_free(box->base);
    free(box);
    return 0;
}

static void run(struct box *box)
{
    struct timeval limit = {10, 0};

    event_base_loopexit(box->base, &limit);
    event_base_dispatch(box->base);
}

static void test_order(void **state)
{
    struct box *box = *state;

    box->expected = 500;
    for (int i = 0; i < 500; i++)
        post(box, i);
    run(box);
    assert_int_equal(box->count, 500);
    for (int i = 0; i < 500; i++)
        assert_int_equal(box->delivered[i], i);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct box *box = arg;
    char byte;

    (void)what;
    assert_int_equal(read(fd, &byte, 1), 1);
    box->socket_turn = true;
    box->count_at_socket = box->count;
}

static void test_sockets_get_a_turn(void **state)
{
    struct box *box = *state;
    struct event *event;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    event = event_new(box->base, fds[0], EV_READ, on_socket, box);
    event_add(event, NULL);
    box->expected = 1000;
    for (int i = 0; i < 1000; i++)
        post(box, i);
    assert_int_equal(write(fds[1], "x", 1), 1);
    run(box);
    assert_int_equal(box->count, 1000);
    assert_true(box->socket_turn);
    assert_true(box->count_at_socket <= 128);
    event_free(event);
    close(fds[0]);
    close(fds[1]);
}

static void test_many_posts_wake_once(void **state)
{
    struct box *box = *state;
    int turns = 0;

    for (int i = 0; i < 50; i++)
        post(box, i);
    while (box->count < 50 && turns < 100) {
        event_base_loop(box->base, EVLOOP_ONCE);
        turns++;
    }
    assert_int_equal(turns, 1);
    /* Nothing is left to wake for. */
    assert_int_equal(event_base_loop(box->base, EVLOOP_NONBLOCK), 0);
    assert_int_equal(box->count, 50);
    post(box, 50);
    event_base_loop(box->base, EVLOOP_ONCE);
    assert_int_equal(box->count, 51);
}

static void test_free_delivers_the_rest(void **state)
{
    struct box *box = *state;
    struct err err;

    for (int i = 0; i < 200; i++)
        post(box, i);
    mailbox_free(box->mailbox);
    assert_int_equal(box->count, 200);
    assert_int_equal(mailbox_new(box->base, &box->mailbox, &err), 0);
}

#define POSTERS 8
#define POSTS 2000

struct poster {
    struct box *box;
    int first;
};

static void *poster_main(void *arg)
{
    struct poster *poster = arg;

    for (int i = 0; i < POSTS; i++)
        post(poster->box, poster->first + i);
    return NULL;
}

static void test_threads(void **state)
{
    struct box *box = *state;
    struct poster posters[POSTERS];
    pthread_t threads[POSTERS];
    int last[POSTERS];

    box->expected = POSTERS * POSTS;
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){box, i * POSTS};
        last[i] = i * POSTS - 1;
        pthread_create(&threads[i], NULL, poster_main, &posters[i]);
    }
    run(box);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(box->count, POSTERS * POSTS);
    for (size_t i = 0; i < box->count; i++) {
        int who = box->delivered[i] / POSTS;

        assert_int_equal(box->delivered[i], last[who] + 1);
        last[who]++;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sockets_get_a_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_posts_wake_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_delivers_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
