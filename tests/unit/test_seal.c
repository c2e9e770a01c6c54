/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed secrets open with the same key in the same place and not otherwise. */
#include "store/seal.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLAIN "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EXPECTED                                                                                   \
    "01ababababababababababababfa27c3e9e2ee7d49a2da5f768bf64742aa3f7d2988eae7005d469e"             \
    "6be743d9e719549fbb1853a95b902f75dada4f0ccba891d4b75b7e2a28"
#define KEY "0123456789abcdef0123456789abcdef"

static const struct seal_place place = {"root-key", "agent-1", "AKIAOLD", "AKIANEW"};
static struct secret key, plain;
static struct err err;

static int set_up(void **state)
{
    (void)state;
    return secret_set(&key, KEY, 32) != 0 || secret_set(&plain, PLAIN, strlen(PLAIN)) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    secret_done(&key);
    secret_done(&plain);
    random_set_source(NULL, NULL);
    return 0;
}

static void close_it(char ret[SEAL_TEXT_MAX + 1])
{
    if (seal_close(&key, &place, &plain, ret, &err) != 0)
        fail_msg("%s", err.message);
}

/* Refused, and nothing comes out. */
static void assert_closed(const struct secret *with, const struct seal_place *where,
                          const char *text)
{
    SECRET_CLEANUP struct secret opened = {0};

    assert_int_equal(seal_open(with, where, text, &opened, &err), KMS_ESOURCE);
    assert_true(secret_empty(&opened));
    assert_non_null(strstr(err.message, "kms-seal-key"));
    assert_null(strstr(err.message, PLAIN));
}

static void round_trip(void **state)
{
    SECRET_CLEANUP struct secret opened = {0};
    char text[SEAL_TEXT_MAX + 1];

    (void)state;
    close_it(text);
    assert_int_equal(strlen(text), (1 + 12 + strlen(PLAIN) + 16) * 2);
    assert_null(strstr(text, PLAIN));
    assert_int_equal(seal_open(&key, &place, text, &opened, &err), 0);
    assert_int_equal(opened.len, strlen(PLAIN));
    assert_string_equal(secret_text(&opened), PLAIN);
}

/* Sizes at both ends, all byte values, and a key of any bytes. */
static void sizes(void **state)
{
    SECRET_CLEANUP struct secret opened = {0};
    SECRET_CLEANUP struct secret big_key = {0};
    SECRET_CLEANUP struct secret other = {0};
    unsigned char bytes[SEAL_PLAIN_MAX + 1];
    char text[SEAL_TEXT_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(secret_set(&big_key, bytes, sizeof bytes), 0);
    for (size_t len = 1; len <= SEAL_PLAIN_MAX; len += SEAL_PLAIN_MAX - 1) {
        assert_int_equal(secret_set(&other, bytes, len), 0);
        assert_int_equal(seal_close(&big_key, &place, &other, text, &err), 0);
        assert_int_equal(seal_open(&big_key, &place, text, &opened, &err), 0);
        assert_int_equal(opened.len, len);
        assert_memory_equal(opened.bytes, bytes, len);
    }
    assert_int_equal(secret_set(&other, bytes, sizeof bytes), 0);
    assert_int_equal(seal_close(&key, &place, &other, text, &err), KMS_EINVALID);
    secret_done(&other);
    assert_int_equal(seal_close(&key, &place, &other, text, &err), KMS_EINVALID);
}

static void never_the_same_twice(void **state)
{
    char one[SEAL_TEXT_MAX + 1], two[SEAL_TEXT_MAX + 1];

    (void)state;
    close_it(one);
    close_it(two);
    assert_memory_not_equal(one + 2, two + 2, 24); /* the nonce */
    assert_string_not_equal(one + 26, two + 26);
}

static void each_bit_counts(void **state)
{
    char text[SEAL_TEXT_MAX + 1];
    size_t len;

    (void)state;
    close_it(text);
    len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        const char was = text[i];
        const int value = was <= '9' ? was - '0' : was - 'a' + 10;

        for (int bit = 1; bit < 16; bit <<= 1) {
            text[i] = "0123456789abcdef"[value ^ bit];
            assert_closed(&key, &place, text);
        }
        text[i] = was;
    }
}

static void cut_or_longer(void **state)
{
    char text[SEAL_TEXT_MAX + 1], changed[2 * SEAL_TEXT_MAX + 8];
    size_t len;

    (void)state;
    close_it(text);
    len = strlen(text);
    for (size_t left = 0; left < len; left++) {
        memcpy(changed, text, left);
        changed[left] = '\0';
        assert_closed(&key, &place, changed);
    }
    snprintf(changed, sizeof changed, "%s00", text);
    assert_closed(&key, &place, changed);
    memset(changed, '0', sizeof changed - 1);
    changed[sizeof changed - 1] = '\0';
    assert_closed(&key, &place, changed);
}

static void not_hex(void **state)
{
    char text[SEAL_TEXT_MAX + 1];

    (void)state;
    close_it(text);
    for (const char *c = "gG:/` A\x80"; *c != '\0'; c++) {
        const char was = text[40];

        text[40] = *c;
        assert_closed(&key, &place, text);
        text[40] = was;
    }
}

static void another_key(void **state)
{
    SECRET_CLEANUP struct secret other = {0};
    char text[SEAL_TEXT_MAX + 1], bytes[33] = KEY;

    (void)state;
    close_it(text);
    for (size_t i = 0; i < 32; i++) {
        bytes[i] ^= 1;
        assert_int_equal(secret_set(&other, bytes, 32), 0);
        assert_closed(&other, &place, text);
        bytes[i] ^= 1;
    }
    assert_int_equal(secret_set(&other, KEY "0", 33), 0);
    assert_closed(&other, &place, text);
}

static void short_key(void **state)
{
    SECRET_CLEANUP struct secret other = {0};
    char text[SEAL_TEXT_MAX + 1];

    (void)state;
    close_it(text);
    assert_int_equal(secret_set(&other, KEY, 31), 0);
    assert_closed(&other, &place, text);
    assert_int_equal(seal_close(&other, &place, &plain, text, &err), KMS_ESOURCE);
    secret_done(&other);
    assert_int_equal(seal_close(&other, &place, &plain, text, &err), KMS_ESOURCE);
}

static void another_place(void **state)
{
    const struct seal_place others[] = {
        {"root-kez", "agent-1", "AKIAOLD", "AKIANEW"},
        {"root-key", "agent-2", "AKIAOLD", "AKIANEW"},
        {"root-key", "agent-1", "AKIAOLE", "AKIANEW"},
        {"root-key", "agent-1", "AKIAOLD", "AKIANEX"},
        {"root-key", "agent-1", "AKIANEW", "AKIAOLD"},
        {"root-key", "agent-1A", "KIAOLD", "AKIANEW"},
        {"", "", "", ""},
    };
    char text[SEAL_TEXT_MAX + 1];

    (void)state;
    close_it(text);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_closed(&key, &others[i], text);
}

static void fixed_random(void *buf, size_t len, void *arg)
{
    (void)arg;
    memset(buf, 0xab, len);
}

/* Reckoned by another implementation (python3-cryptography: HKDF and AESGCM), so that a later
 * version opens what this one sealed. */
static void format_is_fixed(void **state)
{
    char text[SEAL_TEXT_MAX + 1];

    (void)state;
    random_set_source(fixed_random, NULL);
    close_it(text);
    assert_string_equal(text, EXPECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sizes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(never_the_same_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_bit_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_or_longer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_hex, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(short_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(format_is_fixed, set_up, tear_down),
    };
    struct err init_err = {0};

    if (secret_heap_init(&init_err) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
