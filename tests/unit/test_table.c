/* SPDX-License-Identifier: Apache-2.0 */
#include "client/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *printed(const struct table *table)
{
    static char text[4096];
    FILE *file = fmemopen(text, sizeof text, "w");

    assert_non_null(file);
    table_print(table, file);
    fclose(file);
    return text;
}

static void aligned(void **state)
{
    const char *const headers[] = {"NAME", "STATE", "LEFT"};
    const char *const first[] = {"a", "active", "1h"};
    const char *const second[] = {"größe", NULL, ""};
    struct table *table = table_new(3, headers);
    (void)state;

    assert_non_null(table);
    assert_int_equal(table_add(table, first), 0);
    assert_int_equal(table_add(table, second), 0);
    assert_string_equal(printed(table), "NAME   STATE   LEFT\n"
                                        "a      active  1h\n"
                                        "größe  -       -\n");
    table_free(table);
}

static void no_control_characters(void **state)
{
    const char *const row[] = {"x\n\x1B[2J\x7F", "y"};
    struct table *table = table_new(2, NULL);
    (void)state;

    assert_int_equal(table_add(table, row), 0);
    assert_string_equal(printed(table), "x??[2J?  y\n");
    table_free(table);
}

static void grows(void **state)
{
    const char *const row[] = {"cell"};
    struct table *table = table_new(1, NULL);
    (void)state;

    for (int i = 0; i < 500; i++)
        assert_int_equal(table_add(table, row), 0);
    assert_int_equal(strlen(printed(table)), 2500);
    table_free(table);
}

static void limits(void **state)
{
    (void)state;

    assert_null(table_new(0, NULL));
    assert_null(table_new(TABLE_COLUMNS_MAX + 1, NULL));
    table_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned),
        cmocka_unit_test(no_control_characters),
        cmocka_unit_test(grows),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
