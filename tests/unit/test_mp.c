/* SPDX-License-Identifier: Apache-2.0 */
/* The cursor and the writer; the validator is tested in test_mp_check.c. */
#include "common/mp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void cursor_numbers(void **state)
{
    static const int64_t values[] = {
        0,  1,   127, 128,  255,  256,    65535,  65536,     UINT32_MAX,      1LL << 32, INT64_MAX,
        -1, -32, -33, -128, -129, -32768, -32769, INT32_MIN, INT32_MIN - 1LL, INT64_MIN};
    (void)state;

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint8_t buf[9];
        struct mp_writer w;
        int64_t number;
        uint64_t natural;

        mp_writer_init(&w, buf, sizeof buf);
        mp_put_int(&w, values[i]);
        assert_false(w.overflow);
        for (size_t cut = 0; cut < w.len; cut++) {
            struct mp_cursor part = {buf, buf + cut};

            assert_int_equal(mp_get_int(&part, &number), -1);
            assert_ptr_equal(part.p, buf);
        }
        struct mp_cursor cursor = {buf, buf + w.len}, again = cursor;

        assert_int_equal(mp_get_int(&cursor, &number), 0);
        assert_true(number == values[i]);
        assert_ptr_equal(cursor.p, cursor.end);
        assert_int_equal(mp_get_uint(&again, &natural), values[i] < 0 ? -1 : 0);
        if (values[i] >= 0)
            assert_true(natural == (uint64_t)values[i]);
        else
            assert_ptr_equal(again.p, buf);
    }
}

static void cursor_mixed_signs(void **state)
{
    static const uint8_t five[] = {0xD0, 5}, big[] = {0xCF, 255, 255, 255, 255, 255, 255, 255, 255};
    struct mp_cursor cursor = {five, five + sizeof five};
    uint64_t natural;
    int64_t number;
    (void)state;

    assert_int_equal(mp_get_uint(&cursor, &natural), 0);
    assert_int_equal(natural, 5);
    cursor = (struct mp_cursor){big, big + sizeof big};
    assert_int_equal(mp_get_int(&cursor, &number), -1);
    assert_int_equal(mp_get_uint(&cursor, &natural), 0);
    assert_true(natural == UINT64_MAX);
}

static void cursor_strings_and_containers(void **state)
{
    static const uint32_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536};
    static uint8_t buf[70000];
    static char text[65536];
    (void)state;

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct mp_writer w;
        const char *got;
        uint32_t len, count;
        bool yes = false;

        mp_writer_init(&w, buf, sizeof buf);
        mp_put_strn(&w, text, sizes[i]);
        size_t string_end = w.len, head = sizes[i] <= 31      ? 1
                                          : sizes[i] <= 255   ? 2
                                          : sizes[i] <= 65535 ? 3
                                                              : 5;

        assert_int_equal(string_end, head + sizes[i]); /* the shortest form */

        mp_put_array(&w, sizes[i]);
        mp_put_map(&w, sizes[i]);
        mp_put_bool(&w, true);
        mp_put_nil(&w);
        struct mp_cursor cursor = {buf, buf + string_end - 1};

        if (sizes[i] > 0)
            assert_int_equal(mp_get_str(&cursor, &got, &len), -1);
        cursor = (struct mp_cursor){buf, buf + w.len};
        assert_int_equal(mp_peek(&cursor), MP_STR);
        assert_int_equal(mp_get_array(&cursor, &count), -1);
        assert_int_equal(mp_get_str(&cursor, &got, &len), 0);
        assert_int_equal(len, sizes[i]);
        assert_ptr_equal(cursor.p, buf + string_end);
        assert_int_equal(mp_get_map(&cursor, &count), -1);
        assert_int_equal(mp_get_array(&cursor, &count), 0);
        assert_int_equal(count, sizes[i]);
        assert_int_equal(mp_peek(&cursor), MP_MAP);
        assert_int_equal(mp_get_map(&cursor, &count), 0);
        assert_int_equal(count, sizes[i]);
        assert_int_equal(mp_get_nil(&cursor), -1);
        assert_int_equal(mp_get_bool(&cursor, &yes), 0);
        assert_true(yes);
        assert_int_equal(mp_get_bool(&cursor, &yes), -1);
        assert_int_equal(mp_get_nil(&cursor), 0);
        assert_int_equal(mp_peek(&cursor), MP_END);
        assert_int_equal(mp_get_nil(&cursor), -1);
        assert_int_equal(mp_skip(&cursor), -1);
    }
}

static void skip_is_all_or_nothing(void **state)
{
    static const uint8_t cut[] = {0x92, 0x01, 0x82, 0xA1, 'a', 0x02, 0xA1, 'b'};
    struct mp_cursor cursor = {cut, cut + sizeof cut};
    static const uint8_t huge[] = {0xDF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00};
    (void)state;

    assert_int_equal(mp_skip(&cursor), -1);
    assert_ptr_equal(cursor.p, cut);
    cursor = (struct mp_cursor){huge, huge + sizeof huge};
    assert_int_equal(mp_skip(&cursor), -1);
}

static void writer_overflows_once(void **state)
{
    uint8_t buf[4] = {0, 0, 0, 0x55};
    struct mp_writer w;
    (void)state;

    mp_writer_init(&w, buf, 3);
    mp_put_str(&w, "ab");
    assert_false(w.overflow);
    mp_put_uint(&w, 300);
    assert_true(w.overflow);
    mp_put_nil(&w);
    assert_true(w.overflow);
    assert_int_equal(buf[3], 0x55);
    assert_true(w.len <= 3);
}

/* Whatever the bytes: no crash, and what passes is one value that the cursor can walk to its end.
 */
static void random_bytes(void **state)
{
    static const uint8_t heads[] = {0x81, 0x82, 0x91, 0x94, 0xA1, 0xA3, 0xC0, 0xC3,
                                    0xCC, 0xCD, 0xCF, 0xD0, 0xD3, 0xD9, 0xDA, 0xDC,
                                    0xDD, 0xDE, 0xDF, 0x00, 0x01, 'a'};
    unsigned done = 0;
    (void)state;

    srand(7);
    for (int round = 0; round < 200000; round++) {
        uint8_t buf[24];
        size_t len = 1 + (size_t)rand() % sizeof buf;
        struct mp_check check;

        for (size_t i = 0; i < len; i++)
            buf[i] = rand() % 4 ? heads[(size_t)rand() % sizeof heads] : (uint8_t)rand();
        mp_check_init(&check, &mp_request_limits);
        if (mp_check_feed(&check, buf, len) != MP_DONE)
            continue;
        struct mp_cursor cursor = {buf, buf + len};

        assert_int_equal(mp_skip(&cursor), 0);
        assert_ptr_equal(cursor.p, buf + check.offset);
        done++;
    }
    assert_true(done > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_numbers),
        cmocka_unit_test(cursor_mixed_signs),
        cmocka_unit_test(cursor_strings_and_containers),
        cmocka_unit_test(skip_is_all_or_nothing),
        cmocka_unit_test(writer_overflows_once),
        cmocka_unit_test(random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
