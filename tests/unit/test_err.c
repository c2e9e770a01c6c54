/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err.h"
#include "common/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void set_and_context(void **state)
{
    struct err err;
    (void)state;

    memset(&err, 0x7F, sizeof err);
    assert_int_equal(err_set(&err, KMS_EDENIED, "no secret \"%s\"", "app"), KMS_EDENIED);
    assert_string_equal(err.message, "no secret \"app\"");
    assert_string_equal(err.hint, "");
    assert_string_equal(err.aws_code, "");
    assert_int_equal(err.retry_after_ms, 0);
    assert_int_equal(err_context(&err, "issuing %d", 7), KMS_EDENIED);
    assert_string_equal(err.message, "issuing 7: no secret \"app\"");
    assert_int_equal(err_hint(&err, "ask %s", "an admin"), KMS_EDENIED);
    assert_string_equal(err.hint, "ask an admin");
    assert_int_equal(err_set(&err, KMS_EBUSY, "again: %s", err.message), KMS_EBUSY);
    assert_string_equal(err.message, "again: issuing 7: no secret \"app\"");
    assert_string_equal(err.hint, "");
    err_clear(&err);
    assert_int_equal(err.code, 0);
    assert_string_equal(err.message, "");
}

static void null_is_fine(void **state)
{
    (void)state;

    err_clear(NULL);
    assert_int_equal(err_set(NULL, KMS_ESTORE, "x"), KMS_ESTORE);
    assert_int_equal(err_context(NULL, "x"), KMS_EINTERNAL);
    assert_int_equal(err_hint(NULL, "x"), KMS_EINTERNAL);
}

/* Cut texts stay whole characters, for they go out as MessagePack str. */
static void cut_at_characters(void **state)
{
    struct err err;
    char text[ERR_MESSAGE_MAX + 8];
    (void)state;

    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'a', sizeof text);
        for (size_t i = lead; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 3);
        text[sizeof text - 1] = '\0';
        err_set(&err, KMS_EINTERNAL, "%s", text);
        size_t len = strlen(err.message);

        assert_true(len >= ERR_MESSAGE_MAX - 3 && len < ERR_MESSAGE_MAX);
        assert_int_equal((len - lead) % 3, 0);
        err_context(&err, "12345");
        len = strlen(err.message);
        assert_true(len >= ERR_MESSAGE_MAX - 3 && len < ERR_MESSAGE_MAX);
        assert_int_equal((len - 7 - lead) % 3, 0);
        err_hint(&err, "%s", text);
        len = strlen(err.hint);
        assert_true(len >= ERR_HINT_MAX - 3 && len < ERR_HINT_MAX);
        assert_int_equal((len - lead) % 3, 0);
    }
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    err_set(&err, KMS_EINTERNAL, "%s", text);
    assert_int_equal(strlen(err.message), ERR_MESSAGE_MAX - 1);
}

static void names(void **state)
{
    (void)state;

    assert_string_equal(err_name(KMS_EDENIED), "not_allowed");
    assert_string_equal(err_name(0), "internal");
    assert_string_equal(err_name(-9999), "internal");
    assert_int_equal(err_code("store_full"), KMS_ESTOREFULL);
    assert_int_equal(err_code("nonsense"), KMS_EINTERNAL);
#define KMS_ERROR(name, value, wire, text)                                                         \
    assert_string_equal(err_name(KMS_E##name), wire);                                              \
    assert_int_equal(err_code(wire), KMS_E##name);
#include "common/ops.def"
}

static void methods(void **state)
{
    (void)state;

    for (int i = 0; i < METHOD_COUNT; i++) {
        const char *name = proto_method_name((enum kms_method)i);

        assert_int_equal(proto_method_find(name, strlen(name)), i);
        assert_int_equal(proto_method_find(name, strlen(name) - 1), -1);
    }
    assert_null(proto_method_name(METHOD_COUNT));
    assert_int_equal(proto_method_find("", 0), -1);
    assert_int_equal(proto_method_access(METHOD_AGENT_RELOAD), ACCESS_ADMIN);
    assert_int_equal(proto_method_access(METHOD_AGENT_STATUS), ACCESS_ANY);
    assert_int_equal(proto_method_access(METHOD_LEASE_ISSUE), ACCESS_OWN);
    assert_int_equal(proto_method_access(METHOD_COUNT), ACCESS_ADMIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_and_context),   cmocka_unit_test(null_is_fine),
        cmocka_unit_test(cut_at_characters), cmocka_unit_test(names),
        cmocka_unit_test(methods),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
