/* SPDX-License-Identifier: Apache-2.0 */
#include "common/uuid7.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 9562, appendix A.6. */
static void rfc_vector(void **state)
{
    static const uint8_t random[10] = {0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F};
    struct uuid id = uuid7_make(0x017F22E279B0, random);
    char text[UUID_TEXT_SIZE], hex[UUID_HEX_SIZE];
    (void)state;

    uuid_format(&id, text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    uuid_format_hex(&id, hex);
    assert_string_equal(hex, "017f22e279b07cc398c4dc0c0c07398f");
}

static void version_and_variant_win_over_random(void **state)
{
    uint8_t ones[10], zeros[10] = {0};
    (void)state;

    memset(ones, 0xFF, sizeof ones);
    struct uuid high = uuid7_make(1, ones), low = uuid7_make(1, zeros);

    assert_int_equal(high.bytes[6], 0x7F);
    assert_int_equal(high.bytes[8], 0xBF);
    assert_int_equal(low.bytes[6], 0x70);
    assert_int_equal(low.bytes[8], 0x80);
}

static void ordered_by_time(void **state)
{
    uint8_t ones[10], zeros[10] = {0};
    (void)state;

    memset(ones, 0xFF, sizeof ones);
    struct uuid earlier = uuid7_make(1735787045123, ones);
    struct uuid later = uuid7_make(1735787045124, zeros);

    assert_true(memcmp(earlier.bytes, later.bytes, 16) < 0);
}

static void parses_both_forms(void **state)
{
    struct uuid a, b, c;
    (void)state;

    assert_int_equal(uuid_parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f", &a), 0);
    assert_int_equal(uuid_parse("017F22E279B07CC398C4DC0C0C07398F", &b), 0);
    assert_true(uuid_equal(&a, &b));
    assert_int_equal(uuid_parse("017f22e2-79b0-7cc3-98c4-dc0c0c073980", &c), 0);
    assert_false(uuid_equal(&a, &c));
    assert_false(uuid_is_nil(&a));
    assert_int_equal(uuid_parse("00000000000000000000000000000000", &a), 0);
    assert_true(uuid_is_nil(&a));
}

static void refuses(void **state)
{
    static const char *const wrong[] = {"",
                                        "017f22e2",
                                        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
                                        "017f22e2-79b0-7cc3-98c4-dc0c0c07398fa",
                                        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
                                        "017f22e279b0-7cc3-98c4-dc0c0c07398f--",
                                        "017f22e2+79b0-7cc3-98c4-dc0c0c07398f",
                                        "017f22e279b07cc398c4dc0c0c07398-",
                                        " 017f22e279b07cc398c4dc0c0c07398f"};
    struct uuid id = {{1}};
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(uuid_parse(wrong[i], &id), -1);
    assert_int_equal(id.bytes[0], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_vector),      cmocka_unit_test(version_and_variant_win_over_random),
        cmocka_unit_test(ordered_by_time), cmocka_unit_test(parses_both_forms),
        cmocka_unit_test(refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
