/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of requests, checking of parameters, encoding of answers. Everything is built and read
 * with the cursor of common/mp, which is another implementation than the msgpack-c that wire.c
 * uses. */
#include "service/wire.h"

#include "common/mp.h"
#include "common/proto.h"
#include "service/params.h"
#include "service/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct message {
    uint8_t bytes[PROTO_REQUEST_MAX];
    struct mp_writer w;
};

static struct message message;

static struct mp_writer *begin(uint64_t type, uint64_t msgid, const char *method)
{
    mp_writer_init(&message.w, message.bytes, sizeof message.bytes);
    mp_put_array(&message.w, 4);
    mp_put_uint(&message.w, type);
    mp_put_uint(&message.w, msgid);
    mp_put_str(&message.w, method);
    return &message.w;
}

/* Only what the validator passes may reach wire_decode(). */
static int decode(struct wire_request *ret, struct err *err)
{
    struct mp_check check;

    mp_check_init(&check, &mp_request_limits);
    assert_int_equal(mp_check_feed(&check, message.bytes, message.w.len), MP_DONE);
    assert_int_equal(check.offset, message.w.len);
    *err = (struct err){0};
    return wire_decode(message.bytes, message.w.len, ret, err);
}

static void test_request(void **state)
{
    struct mp_writer *w = begin(0, 4294967295u, "lease.issue");
    struct wire_request request;
    struct err err;

    (void)state;
    mp_put_array(w, 1);
    mp_put_map(w, 5);
    mp_put_str(w, "secret");
    mp_put_str(w, "deploy");
    mp_put_str(w, "ttl_s");
    mp_put_uint(w, UINT64_MAX);
    mp_put_str(w, "negative");
    mp_put_int(w, -7);
    mp_put_str(w, "bind");
    mp_put_bool(w, true);
    mp_put_str(w, "nil");
    mp_put_nil(w);
    assert_int_equal(decode(&request, &err), 0);
    assert_int_equal(request.msgid, 4294967295u);
    assert_int_equal(request.method_len, 11);
    assert_memory_equal(request.method, "lease.issue", 11);
    assert_int_equal(request.count, 5);
    assert_int_equal(request.values[0].type, WIRE_STR);
    assert_int_equal(request.values[0].str_len, 6);
    assert_memory_equal(request.values[0].str, "deploy", 6);
    assert_int_equal(request.values[1].integer, INT64_MAX);
    assert_int_equal(request.values[2].integer, -7);
    assert_int_equal(request.values[3].type, WIRE_BOOL);
    assert_true(request.values[3].boolean);
    assert_int_equal(request.values[4].type, WIRE_OTHER);
    assert_memory_equal(request.values[4].name, "nil", 3);
}

static void test_no_params(void **state)
{
    struct wire_request request;
    struct err err;

    (void)state;
    mp_put_array(begin(0, 1, "agent.status"), 0);
    assert_int_equal(decode(&request, &err), 0);
    assert_int_equal(request.count, 0);
}

/* Well-formed MessagePack that is no request: an error with the msgid. */
static void test_no_request(void **state)
{
    struct wire_request request;
    struct err err;

    (void)state;
    mp_put_array(begin(2, 9, "agent.status"), 0);
    assert_int_equal(decode(&request, &err), KMS_EINVALID);
    assert_int_equal(request.msgid, 9);
    mp_put_nil(begin(0, 10, "agent.status"));
    assert_int_equal(decode(&request, &err), KMS_EINVALID);
    assert_int_equal(request.msgid, 10);
    mp_put_array(begin(0, 11, "agent.status"), 2);
    mp_put_map(&message.w, 0);
    mp_put_map(&message.w, 0);
    assert_int_equal(decode(&request, &err), KMS_EINVALID);
    mp_put_array(begin(0, 12, "agent.status"), 1);
    mp_put_str(&message.w, "no map");
    assert_int_equal(decode(&request, &err), KMS_EINVALID);
    mp_writer_init(&message.w, message.bytes, sizeof message.bytes);
    mp_put_array(&message.w, 4);
    for (int i = 0; i < 4; i++)
        mp_put_uint(&message.w, 0);
    assert_int_equal(decode(&request, &err), KMS_EINVALID);
    assert_non_null(strstr(err.message, "method"));
    mp_writer_init(&message.w, message.bytes, sizeof message.bytes);
    mp_put_array(&message.w, 4);
    for (int i = 0; i < 4; i++)
        mp_put_str(&message.w, "x");
    assert_int_equal(decode(&request, &err), KMS_EINVALID);
    assert_int_equal(request.msgid, 0);
}

static void test_many_params(void **state)
{
    struct mp_writer *w = begin(0, 1, "lease.issue");
    struct wire_request request;
    struct params params;
    struct err err;
    char name[16];

    (void)state;
    mp_put_array(w, 1);
    mp_put_map(w, 256);
    for (int i = 0; i < 256; i++) {
        snprintf(name, sizeof name, "p%d", i);
        mp_put_str(w, name);
        mp_put_uint(w, 1);
    }
    assert_int_equal(decode(&request, &err), 0);
    assert_int_equal(request.count, WIRE_VALUES_MAX);
    assert_int_equal(params_parse(&request, ~0u, 0, &params, &err), KMS_EINVALID);
}

/* ---- parameters ---- */

enum put { PUT_STR, PUT_INT, PUT_BOOL, PUT_NIL };

static int parse_one(const char *name, enum put put, const char *text, int64_t number,
                     struct params *ret, struct err *err)
{
    struct mp_writer *w = begin(0, 1, "m");
    struct wire_request request;

    mp_put_array(w, 1);
    mp_put_map(w, 1);
    mp_put_str(w, name);
    if (put == PUT_STR)
        mp_put_str(w, text);
    else if (put == PUT_INT)
        mp_put_int(w, number);
    else if (put == PUT_BOOL)
        mp_put_bool(w, number != 0);
    else
        mp_put_nil(w);
    assert_int_equal(decode(&request, err), 0);
    return params_parse(&request, ~0u, 0, ret, err);
}

static void test_params_wrong(void **state)
{
    static const struct {
        const char *name;
        enum put put;
        const char *text;
        int64_t number;
        int code;
    } cases[] = {
        {"secret", PUT_INT, NULL, 1, KMS_EINVALID},
        {"secret", PUT_NIL, NULL, 0, KMS_EINVALID},
        {"secret", PUT_STR, "", 0, KMS_EINVALID},
        {"secret", PUT_STR, "a\nb", 0, KMS_EINVALID},
        {"secret", PUT_STR, "1234567890123456789012345678901234567890123456789012345678901234x", 0,
         KMS_EINVALID},
        {"lease_id", PUT_STR, "nonsense", 0, KMS_EINVALID},
        {"lease_id", PUT_STR, "00000000-0000-0000-0000-000000000000", 0, KMS_EINVALID},
        {"ttl_s", PUT_STR, "60", 0, KMS_EINVALID},
        {"ttl_s", PUT_INT, NULL, 0, KMS_EINVALID},
        {"ttl_s", PUT_INT, NULL, -1, KMS_EINVALID},
        {"ttl_s", PUT_INT, NULL, INT64_MAX, KMS_ETTL},
        {"ttl_s", PUT_INT, NULL, PARAM_TTL_MAX_S + 1, KMS_ETTL},
        {"region", PUT_STR, "eu-west-1/../x", 0, KMS_EINVALID},
        {"bind", PUT_INT, NULL, 1, KMS_EINVALID},
        {"all", PUT_STR, "true", 0, KMS_EINVALID},
        {"state", PUT_STR, "none", 0, KMS_EINVALID},
        {"state", PUT_STR, "dead", 0, KMS_EINVALID},
        {"limit", PUT_INT, NULL, 0, KMS_EINVALID},
        {"limit", PUT_INT, NULL, 257, KMS_EINVALID},
        {"since", PUT_STR, "yesterday", 0, KMS_EINVALID},
        {"Secret", PUT_STR, "x", 0, KMS_EINVALID},
        {"secre", PUT_STR, "x", 0, KMS_EINVALID},
    };
    struct params params;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        params.given = 0xABCD;
        assert_int_equal(
            parse_one(cases[i].name, cases[i].put, cases[i].text, cases[i].number, &params, &err),
            cases[i].code);
        assert_non_null(strstr(err.message, cases[i].name));
        assert_int_equal(params.given, 0xABCD); /* untouched on failure */
    }
}

static void test_params_right(void **state)
{
    struct params params;
    struct err err;

    (void)state;
    assert_int_equal(parse_one("ttl_s", PUT_INT, NULL, PARAM_TTL_MAX_S, &params, &err), 0);
    assert_int_equal(params.ttl_s, PARAM_TTL_MAX_S);
    assert_int_equal(params.limit, PROTO_LIST_LIMIT_DEFAULT);
    assert_int_equal(parse_one("state", PUT_STR, "revoking", 0, &params, &err), 0);
    assert_int_equal(params.state, LEASE_REVOKING);
    assert_int_equal(parse_one("state", PUT_STR, "any", 0, &params, &err), 0);
    assert_true(params.any_state);
    assert_int_equal(params.state, LEASE_NONE);
    assert_int_equal(parse_one("limit", PUT_INT, NULL, 256, &params, &err), 0);
    assert_int_equal(params.limit, 256);
    assert_int_equal(parse_one("bind", PUT_BOOL, NULL, 1, &params, &err), 0);
    assert_true(params.bind);
    assert_int_equal(
        parse_one("lease_id", PUT_STR, "0190a5c2-7b3e-7f00-8000-0123456789ab", 0, &params, &err),
        0);
    assert_int_equal(params.lease_id.bytes[0], 0x01);
    assert_int_equal(parse_one("since", PUT_STR, "1970-01-01T00:00:01Z", 0, &params, &err), 0);
    assert_int_equal(params.since_ms, 1000);
    assert_int_equal(params.given, PARAM_BIT(PARAM_SINCE));
}

static void test_params_known_and_required(void **state)
{
    const uint32_t known = PARAM_BIT(PARAM_SECRET) | PARAM_BIT(PARAM_TTL_S);
    struct wire_request request;
    struct params params;
    struct err err;

    (void)state;
    mp_put_array(begin(0, 1, "m"), 0);
    assert_int_equal(decode(&request, &err), 0);
    assert_int_equal(params_parse(&request, known, PARAM_BIT(PARAM_SECRET), &params, &err),
                     KMS_EINVALID);
    assert_non_null(strstr(err.message, "secret is missing"));
    begin(0, 1, "m");
    mp_put_array(&message.w, 1);
    mp_put_map(&message.w, 1);
    mp_put_str(&message.w, "bind"); /* a parameter of another method */
    mp_put_bool(&message.w, true);
    assert_int_equal(decode(&request, &err), 0);
    assert_int_equal(params_parse(&request, known, 0, &params, &err), KMS_EINVALID);
    assert_string_equal(err.message, "unknown parameter \"bind\"");
    assert_string_equal(err.hint, "the parameters are: secret, ttl_s");
}

static void test_quote(void **state)
{
    char quote[TEXT_QUOTE_SIZE], text[4096];

    (void)state;
    text_quote("ok\n\x01\xC3\xA4", 6, quote);
    assert_string_equal(quote, "ok????");
    memset(text, 'a', sizeof text);
    text_quote(text, sizeof text, quote);
    assert_int_equal(strlen(quote), TEXT_QUOTE_SIZE - 1);
    text_quote(text, TEXT_QUOTE_SIZE - 4, quote);
    assert_int_equal(strlen(quote), TEXT_QUOTE_SIZE - 4);
}

/* ---- answers ---- */

static struct mp_cursor checked(struct wire_writer *writer)
{
    struct mp_check check;

    assert_int_equal(wire_end(writer), 0);
    mp_check_init(&check, &mp_answer_limits);
    assert_int_equal(mp_check_feed(&check, writer->bytes, writer->len), MP_DONE);
    assert_int_equal(check.offset, writer->len);
    return (struct mp_cursor){writer->bytes, writer->bytes + writer->len};
}

static void expect_head(struct mp_cursor *cursor, uint64_t msgid)
{
    uint32_t count;
    uint64_t number;

    assert_int_equal(mp_get_array(cursor, &count), 0);
    assert_int_equal(count, 4);
    assert_int_equal(mp_get_uint(cursor, &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(mp_get_uint(cursor, &number), 0);
    assert_int_equal(number, msgid);
}

static void expect_str(struct mp_cursor *cursor, const char *expected)
{
    const char *text;
    uint32_t len;

    assert_int_equal(mp_get_str(cursor, &text, &len), 0);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(text, expected, len);
}

static void test_answer(void **state)
{
    struct wire_writer writer = {0};
    struct mp_cursor cursor;
    uint32_t count;
    int64_t number;
    bool value;

    (void)state;
    wire_begin_result(&writer, 7);
    wire_open_map(&writer, NULL);
    wire_put_str(&writer, "name", "v");
    wire_put_opt(&writer, "left_out", "");
    wire_put_opt(&writer, "left_out", NULL);
    wire_put_time(&writer, "left_out", 0);
    wire_put_uuid(&writer, "left_out", &(struct uuid){0});
    wire_open_array(&writer, "rows");
    wire_put_str(&writer, NULL, "a");
    wire_put_int(&writer, NULL, -5);
    wire_close(&writer);
    wire_put_bool(&writer, "yes", true);
    wire_put_time(&writer, "t", 1000);
    cursor = checked(&writer);
    expect_head(&cursor, 7);
    assert_int_equal(mp_get_nil(&cursor), 0);
    assert_int_equal(mp_get_map(&cursor, &count), 0);
    assert_int_equal(count, 4);
    expect_str(&cursor, "name");
    expect_str(&cursor, "v");
    expect_str(&cursor, "rows");
    assert_int_equal(mp_get_array(&cursor, &count), 0);
    assert_int_equal(count, 2);
    expect_str(&cursor, "a");
    assert_int_equal(mp_get_int(&cursor, &number), 0);
    assert_int_equal(number, -5);
    expect_str(&cursor, "yes");
    assert_int_equal(mp_get_bool(&cursor, &value), 0);
    assert_true(value);
    expect_str(&cursor, "t");
    expect_str(&cursor, "1970-01-01T00:00:01Z");
    wire_done(&writer);
}

static void test_error(void **state)
{
    struct wire_writer writer = {0};
    struct mp_cursor cursor;
    struct err err = {0};
    uint32_t count;
    uint64_t number;

    (void)state;
    err_set(&err, KMS_EBUSY, "too much");
    err.retry_after_ms = 250;
    snprintf(err.aws_code, sizeof err.aws_code, "Throttling");
    wire_put_error(&writer, 3, &err);
    cursor = checked(&writer);
    expect_head(&cursor, 3);
    assert_int_equal(mp_get_map(&cursor, &count), 0);
    assert_int_equal(count, 4);
    expect_str(&cursor, "code");
    expect_str(&cursor, "busy");
    expect_str(&cursor, "message");
    expect_str(&cursor, "too much");
    expect_str(&cursor, "aws_code");
    expect_str(&cursor, "Throttling");
    expect_str(&cursor, "retry_after_ms");
    assert_int_equal(mp_get_uint(&cursor, &number), 0);
    assert_int_equal(number, 250);
    assert_int_equal(mp_get_nil(&cursor), 0);
    assert_int_equal(mp_peek(&cursor), MP_END);
    wire_done(&writer);
}

/* AWS's words may be cut within a character: still valid UTF-8 on the wire. */
static void test_bad_utf8(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"caf\xC3\xA9", "caf\xC3\xA9"},
        {"caf\xC3", "caf?"},
        {"\xFF\xFE", "??"},
        {"a\xE2\x82z", "a??z"},
        {"\xED\xA0\x80", "???"}, /* a surrogate */
        {"\xF0\x9F\x94\x91", "\xF0\x9F\x94\x91"},
        {"\xF4\x90\x80\x80", "????"}, /* above U+10FFFF */
        {"\xC0\xAF", "??"},           /* overlong */
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_writer writer = {0};
        struct mp_limits strict = mp_answer_limits;
        struct mp_cursor cursor;
        struct mp_check check;

        strict.strict = true;
        wire_put_str(&writer, NULL, cases[i].in);
        cursor = checked(&writer);
        mp_check_init(&check, &strict);
        assert_int_equal(mp_check_feed(&check, writer.bytes, writer.len), MP_DONE);
        expect_str(&cursor, cases[i].out);
        wire_done(&writer);
    }
}

static void test_too_large(void **state)
{
    struct wire_writer writer = {0};
    char *text = calloc(1, 60001);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', 60000);
    wire_begin_result(&writer, 1);
    wire_open_array(&writer, NULL);
    for (int i = 0; i < 17; i++)
        wire_put_str(&writer, NULL, text);
    assert_int_equal(writer.failed, 0);
    wire_put_str(&writer, NULL, text);
    assert_int_equal(wire_end(&writer), KMS_ETOOBIG);
    assert_true(writer.len <= PROTO_ANSWER_MAX);
    wire_done(&writer);
    free(text);
}

static void test_nested_too_deeply(void **state)
{
    struct wire_writer writer = {0};

    (void)state;
    for (int i = 0; i <= WIRE_DEPTH_MAX; i++)
        wire_open_array(&writer, NULL);
    assert_int_equal(wire_end(&writer), KMS_EINTERNAL);
    wire_done(&writer);
}

/* Pairs encoded once and put into another map, among others. */
static void test_kept_pairs(void **state)
{
    static const uint8_t expected[] = {0x94, 1,   7,    0xC0, 0xDE, 0,   4,    0xA1, 'a', 1,
                                       0xA1, 'b', 0xA1, 'x',  0xA1, 'c', 0xC3, 0xA1, 'd', 2};
    struct wire_writer once = {0}, writer = {0};
    struct secret pairs = {0};
    uint16_t count = 0;

    (void)state;
    wire_open_map(&once, NULL);
    wire_put_str(&once, "b", "x");
    wire_put_bool(&once, "c", true);
    assert_int_equal(wire_keep_pairs(&once, &pairs, &count), 0);
    wire_done(&once);
    assert_int_equal(count, 2);
    wire_begin_result(&writer, 7);
    wire_open_map(&writer, NULL);
    wire_put_int(&writer, "a", 1);
    wire_put_pairs(&writer, &pairs, count);
    wire_put_int(&writer, "d", 2);
    assert_int_equal(wire_end(&writer), 0);
    assert_int_equal(writer.len, sizeof expected);
    assert_memory_equal(writer.bytes, expected, sizeof expected);
    wire_done(&writer);
    secret_done(&pairs);
}

static int set_up(void **state)
{
    struct err err = {0};

    (void)state;
    return secret_heap_init(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_no_params),
        cmocka_unit_test(test_no_request),
        cmocka_unit_test(test_many_params),
        cmocka_unit_test(test_params_wrong),
        cmocka_unit_test(test_params_right),
        cmocka_unit_test(test_params_known_and_required),
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_bad_utf8),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_nested_too_deeply),
        cmocka_unit_test(test_kept_pairs),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
