/* SPDX-License-Identifier: Apache-2.0 */
/* A service on fakes, requests to it and a look into its last answer. Included by one test program
 * only. */
#ifndef KMS_TESTS_SERVICE_WORLD_H
#define KMS_TESTS_SERVICE_WORLD_H

#include "common/mp.h"
#include "service_fakes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct service_world {
    struct lease_env env;
    struct service *service;
    uint8_t answer[PROTO_ANSWER_MAX]; /* the last one */
    size_t answer_len;
    unsigned answers, changed;
    size_t unread; /* of every uid */
    bool write_fails;
    int pidfd_error; /* the peer has no pidfd */
    uint32_t group;  /* supplementary, of the peers made; 0: none */
    const char *unit;
} world;

static const struct conn_ref conn = {.slot = 70, .generation = 5};

static bool world_reply(void *front, struct conn_ref ref, const uint8_t *bytes, size_t len,
                        void (*written)(bool ok, void *arg), void *arg)
{
    assert_ptr_equal(front, &world);
    assert_int_equal(ref.slot, conn.slot);
    memcpy(world.answer, bytes, len);
    world.answer_len = len;
    world.answers++;
    if (written != NULL)
        written(!world.write_fails, arg);
    return !world.write_fails;
}

static unsigned world_connections(void *front)
{
    (void)front;
    return 9;
}

static size_t world_unread(void *front, uint32_t uid)
{
    assert_ptr_equal(front, &world);
    (void)uid;
    return world.unread;
}

static void world_changed(struct config *config, void *arg)
{
    assert_ptr_equal(arg, &world);
    assert_ptr_equal(config, &fake_next_config);
    world.changed++;
}

static int open_world(void **state)
{
    struct service_options options = {.env = &world.env,
                                      .config = &fake_config,
                                      .config_file = "agent.conf",
                                      .version = "1.2",
                                      .config_changed = world_changed,
                                      .arg = &world};
    const struct service_port port = {.reply = world_reply,
                                      .connections = world_connections,
                                      .unread = world_unread,
                                      .front = &world};
    struct err err = {0};

    (void)state;
    memset(&world, 0, sizeof world);
    memset(&fakes, 0, sizeof fakes);
    fake_set_config();
    if (service_new(&options, &world.service, &err) != 0)
        return -1;
    service_set_port(world.service, &port);
    return 0;
}

static int close_world(void **state)
{
    unsigned refs;

    (void)state;
    service_gone(world.service, conn);
    fake_run_jobs();
    fake_end_root_jobs();
    service_free(world.service);
    refs = fake_config.refs;
    fake_config.refs = 1;
    return refs == 1 ? 0 : -1; /* every request gave its reference back */
}

static void world_look_up_unit(struct peer *peer)
{
    peer->unit_looked_up = true;
    snprintf(peer->unit, sizeof peer->unit, "%s", world.unit != NULL ? world.unit : "");
}

static struct mp_writer request;
static uint8_t request_bytes[4096];

/* Begins a request with n parameters; each follows as key and value. */
static struct mp_writer *ask(const char *method, uint64_t msgid, uint32_t n)
{
    mp_writer_init(&request, request_bytes, sizeof request_bytes);
    mp_put_array(&request, 4);
    mp_put_uint(&request, 0);
    mp_put_uint(&request, msgid);
    mp_put_str(&request, method);
    mp_put_array(&request, 1);
    mp_put_map(&request, n);
    return &request;
}

static void send_as(uint32_t uid)
{
    struct peer peer = {.uid = uid,
                        .gid = uid,
                        .pid = 4321,
                        .pidfd = world.pidfd_error == 0 ? dup(0) : -1,
                        .pidfd_error = world.pidfd_error,
                        .groups = &world.group,
                        .group_count = world.group != 0,
                        .command = "kms-exec",
                        .look_up_unit = world_look_up_unit};

    world.answer_len = 0;
    service_handle(world.service, conn, &peer, request_bytes, request.len);
    if (peer.pidfd >= 0)
        close(peer.pidfd);
    memset(&peer, 0xEE, sizeof peer); /* the service may not look at it any more */
}

/* A method with one text parameter (key NULL: none). */
static void call(uint32_t uid, const char *method, const char *key, const char *value)
{
    struct mp_writer *w = ask(method, 1, key != NULL);

    if (key != NULL) {
        mp_put_str(w, key);
        mp_put_str(w, value);
    }
    send_as(uid);
}

/* ---- the answer ---- */

/* A cursor at the value of key in the map at cursor. */
static bool find_in(struct mp_cursor cursor, const char *key, struct mp_cursor *ret)
{
    uint32_t pairs, len;
    const char *name;

    if (mp_get_map(&cursor, &pairs) != 0)
        return false;
    for (uint32_t i = 0; i < pairs; i++) {
        assert_int_equal(mp_get_str(&cursor, &name, &len), 0);
        if (len == strlen(key) && memcmp(name, key, len) == 0) {
            *ret = cursor;
            return true;
        }
        assert_int_equal(mp_skip(&cursor), 0);
    }
    return false;
}

/* part 2: the error, 3: the result. */
static struct mp_cursor part_of_answer(int part)
{
    struct mp_cursor cursor = {world.answer, world.answer + world.answer_len};
    uint32_t count;

    assert_true(world.answer_len > 0);
    assert_int_equal(mp_get_array(&cursor, &count), 0);
    for (int i = 0; i < part; i++)
        assert_int_equal(mp_skip(&cursor), 0);
    return cursor;
}

static const char *text_at(struct mp_cursor map, const char *key)
{
    static char texts[4][1024];
    static int next;
    char *ret = texts[next++ % 4];
    struct mp_cursor value;
    const char *text;
    uint32_t len;

    if (!find_in(map, key, &value) || mp_get_str(&value, &text, &len) != 0)
        return "";
    snprintf(ret, sizeof texts[0], "%.*s", (int)len, text);
    return ret;
}

/* "" for a result. */
static const char *code(void)
{
    return text_at(part_of_answer(2), "code");
}

static const char *message(void)
{
    return text_at(part_of_answer(2), "message");
}

static const char *result(const char *key)
{
    return text_at(part_of_answer(3), key);
}

static bool has(const char *key)
{
    struct mp_cursor value;

    return find_in(part_of_answer(3), key, &value);
}

static int64_t number(const char *key)
{
    struct mp_cursor value;
    int64_t n = -999;
    bool flag;

    assert_true(find_in(part_of_answer(3), key, &value));
    if (mp_get_bool(&value, &flag) == 0)
        return flag;
    assert_int_equal(mp_get_int(&value, &n), 0);
    return n;
}

__attribute__((unused)) static uint32_t rows(const char *key)
{
    struct mp_cursor value;
    uint32_t count = 0;

    assert_true(find_in(part_of_answer(3), key, &value));
    assert_int_equal(mp_get_array(&value, &count), 0);
    return count;
}

static uint64_t answered_msgid(void)
{
    struct mp_cursor cursor = part_of_answer(1);
    uint64_t msgid = 0;

    assert_int_equal(mp_get_uint(&cursor, &msgid), 0);
    return msgid;
}

/* ---- leases ---- */

__attribute__((unused)) static const char *add_lease(uint32_t uid, const char *rule,
                                                     enum lease_state lease_state)
{
    struct lease *lease = &fakes.leases[fakes.lease_count++];
    static char text[UUID_TEXT_SIZE];

    *lease = (struct lease){.state = lease_state, .owner = {.uid = uid}, .expires_ms = 1000};
    lease->id.bytes[0] = 1;
    lease->id.bytes[14] = (uint8_t)(fakes.lease_count >> 8);
    lease->id.bytes[15] = (uint8_t)fakes.lease_count;
    strcpy(lease->secret, "deploy");
    snprintf(lease->owner.rule, sizeof lease->owner.rule, "%s", rule);
    uuid_format(&lease->id, text);
    return text;
}

#endif
