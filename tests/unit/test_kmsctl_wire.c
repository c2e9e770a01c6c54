/* SPDX-License-Identifier: Apache-2.0 */
/* Our MessagePack against msgpack-c: each reads what the other wrote. */
#include "client/kmsctl_wire.h"
#include "common/mp.h"

#include <jansson.h>
#include <msgpack.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const int64_t numbers[] = {
    0,  1,   127, 128,  255,  256,    65535,  65536,     UINT32_MAX,      1LL << 32, INT64_MAX,
    -1, -32, -33, -128, -129, -32768, -32769, INT32_MIN, INT32_MIN - 1LL, INT64_MIN};
#define NUMBERS (sizeof numbers / sizeof numbers[0])

static void library_reads_our_writer(void **state)
{
    static uint8_t buf[200000];
    static char text[70000];
    struct mp_writer w;
    (void)state;

    memset(text, 't', sizeof text - 1);
    mp_writer_init(&w, buf, sizeof buf);
    mp_put_map(&w, 4);
    mp_put_str(&w, "numbers");
    mp_put_array(&w, NUMBERS);
    for (size_t i = 0; i < NUMBERS; i++)
        mp_put_int(&w, numbers[i]);
    mp_put_str(&w, "texts");
    mp_put_array(&w, 5);
    for (size_t i = 0; i < 5; i++)
        mp_put_strn(&w, text, (const size_t[]){0, 31, 32, 256, 65536}[i]);
    mp_put_str(&w, "others");
    mp_put_array(&w, 3);
    mp_put_nil(&w);
    mp_put_bool(&w, true);
    mp_put_bool(&w, false);
    mp_put_str(&w, "map");
    mp_put_map(&w, 20);
    for (char c = 'a'; c < 'a' + 20; c++) {
        mp_put_strn(&w, &c, 1);
        mp_put_uint(&w, (uint64_t)c);
    }
    assert_false(w.overflow);
    json_t *json = kmsctl_wire_decode((struct mp_cursor){buf, buf + w.len});

    assert_non_null(json);
    for (size_t i = 0; i < NUMBERS; i++)
        assert_true(json_integer_value(json_array_get(json_object_get(json, "numbers"), i)) ==
                    numbers[i]);
    assert_int_equal(json_string_length(json_array_get(json_object_get(json, "texts"), 4)), 65536);
    assert_true(json_is_null(json_array_get(json_object_get(json, "others"), 0)));
    assert_true(json_is_true(json_array_get(json_object_get(json, "others"), 1)));
    assert_true(json_is_false(json_array_get(json_object_get(json, "others"), 2)));
    assert_int_equal(json_object_size(json_object_get(json, "map")), 20);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "map"), "t")), 't');
    json_decref(json);
}

static void our_cursor_reads_the_library(void **state)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    struct mp_check check;
    uint32_t count, len;
    const char *text;
    (void)state;

    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    msgpack_pack_array(&packer, NUMBERS + 2);
    for (size_t i = 0; i < NUMBERS; i++)
        msgpack_pack_int64(&packer, numbers[i]);
    msgpack_pack_str_with_body(&packer, "text", 4);
    msgpack_pack_map(&packer, 1);
    msgpack_pack_str_with_body(&packer, "k", 1);
    msgpack_pack_nil(&packer);
    mp_check_init(&check, &mp_request_limits);
    const uint8_t *bytes = (const uint8_t *)buffer.data;

    assert_int_equal(mp_check_feed(&check, bytes, buffer.size), MP_DONE);
    assert_int_equal(check.offset, buffer.size);
    struct mp_cursor cursor = {bytes, bytes + buffer.size};

    assert_int_equal(mp_get_array(&cursor, &count), 0);
    assert_int_equal(count, NUMBERS + 2);
    for (size_t i = 0; i < NUMBERS; i++) {
        int64_t number;

        assert_int_equal(mp_get_int(&cursor, &number), 0);
        assert_true(number == numbers[i]);
    }
    assert_int_equal(mp_get_str(&cursor, &text, &len), 0);
    assert_memory_equal(text, "text", 4);
    assert_int_equal(mp_skip(&cursor), 0);
    assert_ptr_equal(cursor.p, cursor.end);
    msgpack_sbuffer_destroy(&buffer);
}

static void broken_text_and_bin(void **state)
{
    static const uint8_t bytes[] = {0x93, 0xA3, 'a',  0xFF, 'b',  0xC4, 0x01, 'x', 0xCF,
                                    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    json_t *json = kmsctl_wire_decode((struct mp_cursor){bytes, bytes + sizeof bytes});
    (void)state;

    assert_non_null(json);
    assert_string_equal(json_string_value(json_array_get(json, 0)), "a?b");
    assert_true(json_is_null(json_array_get(json, 1)));
    assert_true(json_is_real(json_array_get(json, 2)));
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(library_reads_our_writer),
        cmocka_unit_test(our_cursor_reads_the_library),
        cmocka_unit_test(broken_text_and_bin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
