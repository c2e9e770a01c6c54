/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mp.h"

#include "common/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A copy of exactly the bytes fed so far, so that AddressSanitizer sees every read beyond them. */
static enum mp_status feed_exact(struct mp_check *check, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    enum mp_status status = mp_check_feed(check, copy, len);

    free(copy);
    return status;
}

static enum mp_status check_whole(struct mp_check *check, const void *bytes, size_t len)
{
    mp_check_init(check, &mp_request_limits);
    return feed_exact(check, bytes, len);
}

#define CHECK(check, literal) check_whole((check), (literal), sizeof(literal) - 1)

static size_t example_request(uint8_t *buf, size_t size)
{
    struct mp_writer w;

    mp_writer_init(&w, buf, size);
    mp_put_array(&w, 4);
    mp_put_uint(&w, 0);
    mp_put_uint(&w, 70000);
    mp_put_str(&w, "lease.issue");
    mp_put_array(&w, 1);
    mp_put_map(&w, 6);
    mp_put_str(&w, "secret");
    mp_put_str(&w, "gr\xC3\xBC\xC3\x9F\xE2\x82\xAC\xF0\x9F\x94\x91");
    mp_put_str(&w, "ttl_s");
    mp_put_int(&w, -70000);
    mp_put_str(&w, "bind");
    mp_put_bool(&w, true);
    mp_put_str(&w, "none");
    mp_put_nil(&w);
    mp_put_str(&w, "nested");
    mp_put_map(&w, 1);
    mp_put_str(&w, "empty");
    mp_put_array(&w, 0);
    mp_put_str(&w, "long text of more than thirty-one bytes");
    mp_put_uint(&w, UINT64_MAX);
    assert_false(w.overflow);
    return w.len;
}

static void valid_at_every_split(void **state)
{
    uint8_t buf[512];
    size_t len = example_request(buf, sizeof buf);
    (void)state;

    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second++) {
            struct mp_check check;

            mp_check_init(&check, &mp_request_limits);
            enum mp_status status = feed_exact(&check, buf, first);

            assert_int_equal(status, first == len ? MP_DONE : MP_MORE);
            if (first == len)
                continue;
            status = feed_exact(&check, buf, second);
            assert_int_equal(status, second == len ? MP_DONE : MP_MORE);
            if (second == len)
                continue;
            assert_int_equal(feed_exact(&check, buf, len), MP_DONE);
            assert_int_equal(check.offset, len);
            assert_true(check.has_msgid);
            assert_int_equal(check.msgid, 70000);
        }
    }
}

static void byte_by_byte_stops_at_the_message_end(void **state)
{
    uint8_t buf[1024];
    size_t len = example_request(buf, 512);
    struct mp_check check;
    (void)state;

    memset(buf + len, 0xC1, 16); /* what follows is the next message's business */
    mp_check_init(&check, &mp_request_limits);
    for (size_t i = 1; i < len; i++) {
        assert_int_equal(feed_exact(&check, buf, i), MP_MORE);
        assert_true(check.offset <= i && i - check.offset < 9);
    }
    assert_int_equal(mp_check_feed(&check, buf, len + 16), MP_DONE);
    assert_int_equal(check.offset, len);
}

static void sizes_are_judged_from_the_head(void **state)
{
    struct mp_check check;
    (void)state;

    assert_int_equal(CHECK(&check, "\xDD\xFF\xFF\xFF\xFF"), MP_BAD);
    assert_true(check.too_large);
    assert_int_equal(CHECK(&check, "\xDF\x7F\xFF\xFF\xFF"), MP_BAD);
    assert_int_equal(CHECK(&check, "\xDB\xFF\xFF\xFF\xFF"), MP_BAD);
    assert_true(check.too_large);
    assert_int_equal(CHECK(&check, "\xDA\x10\x01"), MP_BAD); /* 4097 */
    assert_int_equal(CHECK(&check, "\xDA\x10\x00"), MP_MORE);
    assert_int_equal(CHECK(&check, "\xDC\x01\x01"), MP_BAD); /* 257 */
    assert_int_equal(CHECK(&check, "\xDC\x01\x00"), MP_MORE);
    assert_int_equal(CHECK(&check, "\xDE\x01\x01"), MP_BAD);
    assert_int_equal(CHECK(&check, "\xDE\x01\x00"), MP_MORE);
    assert_int_equal(CHECK(&check, "\xDE\x01"), MP_MORE); /* not known yet */
}

static void whole_message_is_bounded(void **state)
{
    struct mp_check check;
    struct mp_limits limits = mp_request_limits;
    (void)state;

    limits.max_bytes = 6;
    mp_check_init(&check, &limits);
    assert_int_equal(feed_exact(&check, (const uint8_t *)"\xA5hello", 6), MP_DONE);
    limits.max_bytes = 5;
    mp_check_init(&check, &limits);
    assert_int_equal(feed_exact(&check, (const uint8_t *)"\xA5", 1), MP_BAD);
    assert_true(check.too_large);
    mp_check_init(&check, &limits);
    assert_int_equal(feed_exact(&check, (const uint8_t *)"\x92\xA1x\xCE\x01", 5), MP_BAD);
    assert_true(check.too_large);
    mp_check_init(&check, &limits);
    assert_int_equal(feed_exact(&check, (const uint8_t *)"\x96", 1), MP_BAD);
}

/* 17 strings of 4 KiB: each allowed, together more than a request. */
static void total_stops_many_allowed_strings(void **state)
{
    static uint8_t buf[17 * 4099 + 3];
    struct mp_writer w;
    struct mp_check check;
    char text[4096];
    (void)state;

    memset(text, 'a', sizeof text);
    mp_writer_init(&w, buf, sizeof buf);
    mp_put_array(&w, 17);
    for (int i = 0; i < 17; i++)
        mp_put_strn(&w, text, sizeof text);
    assert_false(w.overflow);
    assert_int_equal(check_whole(&check, buf, w.len), MP_BAD);
    assert_true(check.too_large);
    assert_true(check.offset <= PROTO_REQUEST_MAX);
}

static void depth(void **state)
{
    uint8_t buf[64];
    struct mp_check check;
    (void)state;

    memset(buf, 0x91, sizeof buf);
    buf[PROTO_DEPTH_MAX] = 0xC0;
    assert_int_equal(check_whole(&check, buf, PROTO_DEPTH_MAX + 1), MP_DONE);
    buf[PROTO_DEPTH_MAX] = 0x91;
    assert_int_equal(check_whole(&check, buf, PROTO_DEPTH_MAX + 1), MP_BAD);
    assert_string_equal(check.reason, "nested too deeply");
    buf[PROTO_DEPTH_MAX] = 0x90; /* an empty one is as deep */
    assert_int_equal(check_whole(&check, buf, PROTO_DEPTH_MAX + 1), MP_BAD);
}

static void limits_above_the_stack_are_safe(void **state)
{
    struct mp_limits limits = mp_request_limits;
    struct mp_check check;
    uint8_t buf[64];
    (void)state;

    limits.max_depth = 1000;
    memset(buf, 0x91, sizeof buf);
    mp_check_init(&check, &limits);
    assert_int_equal(feed_exact(&check, buf, sizeof buf), MP_BAD);
    limits.max_elements = 100000;
    mp_check_init(&check, &limits);
    assert_int_equal(feed_exact(&check, (const uint8_t *)"\xDE\x01\x01", 3), MP_BAD);
}

static void duplicate_keys(void **state)
{
    struct mp_check check;
    (void)state;

    assert_int_equal(CHECK(&check, "\x82\xA1"
                                   "a\x01\xA1"
                                   "b\x02"),
                     MP_DONE);
    assert_int_equal(CHECK(&check, "\x82\xA1"
                                   "a\x01\xA1"
                                   "a\x02"),
                     MP_BAD);
    assert_string_equal(check.reason, "a map has a key twice");
    /* the same key in another encoding; with a container between; empty twice */
    assert_int_equal(CHECK(&check, "\x82\xA1"
                                   "a\x01\xD9\x01"
                                   "a\x02"),
                     MP_BAD);
    assert_int_equal(CHECK(&check, "\x82\xA1"
                                   "a\x91\x81\xA1"
                                   "a\x01\xA1"
                                   "a\x02"),
                     MP_BAD);
    assert_int_equal(CHECK(&check, "\x82\xA0\x01\xA0\x02"), MP_BAD);
    /* the same key in an inner map is another key */
    assert_int_equal(CHECK(&check, "\x81\xA1"
                                   "a\x81\xA1"
                                   "a\x01"),
                     MP_DONE);
}

static size_t map_of_256(uint8_t *buf, size_t size, bool last_again)
{
    struct mp_writer w;
    char key[8];

    mp_writer_init(&w, buf, size);
    mp_put_map(&w, 256);
    for (unsigned i = 0; i < 256; i++) {
        snprintf(key, sizeof key, "k%u", last_again && i == 255 ? 3 : i);
        mp_put_str(&w, key);
        mp_put_nil(&w);
    }
    assert_false(w.overflow);
    return w.len;
}

static void largest_map(void **state)
{
    uint8_t buf[4096];
    struct mp_check check;
    (void)state;

    assert_int_equal(check_whole(&check, buf, map_of_256(buf, sizeof buf, false)), MP_DONE);
    assert_int_equal(check_whole(&check, buf, map_of_256(buf, sizeof buf, true)), MP_BAD);
}

static void strict_refuses(void **state)
{
    struct mp_check check, loose;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"\xC4\x01x", 3},            /* bin */
        {"\xCA\0\0\0\0", 5},         /* float */
        {"\xCB\0\0\0\0\0\0\0\0", 9}, /* double */
        {"\xD4\x01x", 3},            /* fixext */
        {"\xC7\x01\x01x", 4},        /* ext */
        {"\xD8\x01"
         "0123456789abcdef",
         18},                /* fixext 16 */
        {"\x81\x01\x01", 3}, /* key of another type */
        {"\x81\x90\x01", 3}, /* key is a container */
        {"\xA1\xFF", 2},     /* not UTF-8 */
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(check_whole(&check, cases[i].bytes, cases[i].len), MP_BAD);
        assert_non_null(check.reason);
        assert_false(check.too_large);
        mp_check_init(&loose, &mp_answer_limits);
        assert_int_equal(feed_exact(&loose, (const uint8_t *)cases[i].bytes, cases[i].len),
                         MP_DONE);
        struct mp_cursor cursor = {(const uint8_t *)cases[i].bytes,
                                   (const uint8_t *)cases[i].bytes + cases[i].len};

        assert_int_equal(mp_skip(&cursor), 0);
        assert_ptr_equal(cursor.p, cursor.end);
    }
    mp_check_init(&loose, &mp_answer_limits);
    assert_int_equal(feed_exact(&loose, (const uint8_t *)"\xC1", 1), MP_BAD);
    assert_int_equal(mp_check_feed(&loose, (const uint8_t *)"\xC1\xC0", 2), MP_BAD);
}

static void utf8(void **state)
{
    static const char *good[] = {"\xC2\x80",         "\xDF\xBF",         "\xE0\xA0\x80",
                                 "\xED\x9F\xBF",     "\xEE\x80\x80",     "\xEF\xBF\xBF",
                                 "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\x01\x7F"};
    static const char *wrong[] = {"\x80",
                                  "\xC0\x80",
                                  "\xC1\xBF",
                                  "\xE0\x9F\xBF",
                                  "\xED\xA0\x80",
                                  "\xF0\x8F\xBF\xBF",
                                  "\xF4\x90\x80\x80",
                                  "\xF5\x80\x80\x80",
                                  "\xC3",
                                  "\xE2\x82",
                                  "\xF0\x9F\x94",
                                  "a\xE2\x82z",
                                  "\xFF",
                                  "\xFE"};
    struct mp_check check;
    char buf[16];
    (void)state;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        buf[0] = (char)(0xA0 | strlen(good[i]));
        memcpy(buf + 1, good[i], strlen(good[i]));
        assert_int_equal(check_whole(&check, buf, 1 + strlen(good[i])), MP_DONE);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        buf[0] = (char)(0xA0 | strlen(wrong[i]));
        memcpy(buf + 1, wrong[i], strlen(wrong[i]));
        assert_int_equal(check_whole(&check, buf, 1 + strlen(wrong[i])), MP_BAD);
        assert_string_equal(check.reason, "a string is not UTF-8");
    }
}

static void message_ids(void **state)
{
    struct mp_check check;
    (void)state;

    assert_int_equal(CHECK(&check, "\x94\x00\x05\xA1m\x90"), MP_DONE);
    assert_true(check.has_msgid);
    assert_int_equal(check.msgid, 5);
    /* the id is known although the rest is malformed */
    assert_int_equal(CHECK(&check, "\x94\x00\xCE\xFF\xFF\xFF\xFF\xC1"), MP_BAD);
    assert_true(check.has_msgid);
    assert_int_equal(check.msgid, UINT32_MAX);
    /* a small number in eight bytes is fine, one above 32 bits is not */
    assert_int_equal(CHECK(&check, "\x94\x00\xCF\0\0\0\0\0\0\0\x07\xA1m\x90"), MP_DONE);
    assert_int_equal(check.msgid, 7);
    assert_int_equal(CHECK(&check, "\x94\x00\xCF\0\0\0\x01\0\0\0\0"), MP_BAD);
    assert_false(check.has_msgid);
    assert_int_equal(CHECK(&check, "\x94\x00\xA1x\x06\x90"), MP_DONE);
    assert_false(check.has_msgid);
    assert_int_equal(CHECK(&check, "\x94\xA1z\x05\x06\x90"), MP_DONE);
    assert_false(check.has_msgid);
    assert_int_equal(CHECK(&check, "\x91\x94\x00\x05\x01\x02"), MP_DONE);
    assert_false(check.has_msgid);
    assert_int_equal(CHECK(&check, "\x94\xCC\x01\xFF\x06\x90"), MP_DONE); /* −1 */
    assert_false(check.has_msgid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_at_every_split),
        cmocka_unit_test(byte_by_byte_stops_at_the_message_end),
        cmocka_unit_test(sizes_are_judged_from_the_head),
        cmocka_unit_test(whole_message_is_bounded),
        cmocka_unit_test(total_stops_many_allowed_strings),
        cmocka_unit_test(depth),
        cmocka_unit_test(limits_above_the_stack_are_safe),
        cmocka_unit_test(duplicate_keys),
        cmocka_unit_test(largest_map),
        cmocka_unit_test(strict_refuses),
        cmocka_unit_test(utf8),
        cmocka_unit_test(message_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
