/* SPDX-License-Identifier: Apache-2.0 */
#include "client/formats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t answer[2048];

/* An answer of lease.issue and its decoded form. */
static struct mp_cursor make_answer(bool session, const char *region, struct grant *ret)
{
    struct mp_writer w;
    struct err err;

    mp_writer_init(&w, answer, sizeof answer);
    mp_put_map(&w, session ? 11 : 10);
    mp_put_str(&w, "lease_id");
    mp_put_str(&w, "0190e4f2-1111-7abc-8def-0123456789ab");
    mp_put_str(&w, "secret");
    mp_put_str(&w, "app");
    mp_put_str(&w, "credential_type");
    mp_put_str(&w, session ? "temporary-credentials" : "iam-user");
    mp_put_str(&w, "access_key_id");
    mp_put_str(&w, "ASIAIOSFODNN7EXAMPLE");
    mp_put_str(&w, "secret_access_key");
    mp_put_str(&w, "sec/ret+KEY");
    if (session) {
        mp_put_str(&w, "session_token");
        mp_put_str(&w, "to/ken==");
    }
    mp_put_str(&w, "account_id");
    mp_put_str(&w, "123456789012");
    mp_put_str(&w, "region");
    mp_put_str(&w, region);
    mp_put_str(&w, "expires_at");
    mp_put_str(&w, "2026-01-02T03:04:05Z");
    mp_put_str(&w, "granted_ttl_s");
    mp_put_uint(&w, 900);
    mp_put_str(&w, "bound");
    mp_put_bool(&w, true);
    assert_false(w.overflow);
    struct mp_cursor result = {answer, answer + w.len};

    assert_int_equal(grant_read(result, ret, &err), 0);
    return result;
}

static const char *written(enum format format, bool session, const char *region)
{
    static char text[4096];
    struct text_out out = {.buf = text, .size = sizeof text - 1};
    struct grant grant;
    struct mp_cursor result = make_answer(session, region, &grant);

    formats_write(format, &grant, result, &out);
    assert_false(out.overflow);
    text[out.len] = '\0';
    return text;
}

static void names(void **state)
{
    (void)state;

    assert_int_equal(format_find("credential-process"), FORMAT_CREDENTIAL_PROCESS);
    assert_int_equal(format_find("json"), FORMAT_JSON);
    assert_int_equal(format_find("env"), FORMAT_ENV);
    assert_int_equal(format_find("dotenv"), FORMAT_DOTENV);
    assert_int_equal(format_find("ini"), FORMAT_NONE);
    assert_int_equal(format_find(""), FORMAT_NONE);
}

static void credential_process(void **state)
{
    (void)state;

    assert_string_equal(
        written(FORMAT_CREDENTIAL_PROCESS, true, "eu-west-1"),
        "{\"Version\":1,\"AccessKeyId\":\"ASIAIOSFODNN7EXAMPLE\","
        "\"SecretAccessKey\":\"sec/ret+KEY\",\"SessionToken\":\"to/ken==\","
        "\"Expiration\":\"2026-01-02T03:04:05Z\",\"AccountId\":\"123456789012\"}\n");
    assert_null(strstr(written(FORMAT_CREDENTIAL_PROCESS, false, "x"), "SessionToken"));
}

static void json(void **state)
{
    (void)state;

    assert_string_equal(
        written(FORMAT_JSON, false, "a\"b\\c"),
        "{\"lease_id\":\"0190e4f2-1111-7abc-8def-0123456789ab\",\"secret\":\"app\","
        "\"credential_type\":\"iam-user\",\"access_key_id\":\"ASIAIOSFODNN7EXAMPLE\","
        "\"secret_access_key\":\"sec/ret+KEY\",\"account_id\":\"123456789012\","
        "\"region\":\"a\\\"b\\\\c\",\"expires_at\":\"2026-01-02T03:04:05Z\","
        "\"granted_ttl_s\":900,\"bound\":true}\n");
}

/* Judge: the shell itself, with values that try to break out. */
static void env_survives_eval(void **state)
{
    const char *text = written(FORMAT_ENV, true, "it's $(false) \"`x`\" \\");
    char script[8192], line[256];
    (void)state;

    assert_null(strstr(text, "unset AWS_SESSION_TOKEN"));
    assert_non_null(strstr(text, " AWS_PROFILE "));
    snprintf(
        script, sizeof script,
        "AWS_PROFILE=dev; export AWS_PROFILE\n%s"
        "printf '%%s|%%s|%%s\\n' \"$AWS_REGION\" \"$AWS_SESSION_TOKEN\" \"${AWS_PROFILE-gone}\"",
        text);

    assert_int_equal(setenv("SCRIPT", script, 1), 0);
    FILE *shell = popen("eval \"$SCRIPT\"", "r");

    assert_non_null(shell);
    assert_non_null(fgets(line, sizeof line, shell));
    assert_int_equal(pclose(shell), 0);
    assert_string_equal(line, "it's $(false) \"`x`\" \\|to/ken==|gone\n");
}

static void dotenv(void **state)
{
    (void)state;

    assert_string_equal(written(FORMAT_DOTENV, true, "eu west\"$"),
                        "AWS_ACCESS_KEY_ID=ASIAIOSFODNN7EXAMPLE\n"
                        "AWS_SECRET_ACCESS_KEY=sec/ret+KEY\n"
                        "AWS_SESSION_TOKEN=to/ken==\n"
                        "AWS_REGION=\"eu west\\\"\\$\"\n"
                        "AWS_DEFAULT_REGION=\"eu west\\\"\\$\"\n"
                        "AWS_CREDENTIAL_EXPIRATION=2026-01-02T03:04:05Z\n"
                        "AWS_SESSION_EXPIRATION=2026-01-02T03:04:05Z\n"
                        "AWS_ACCOUNT_ID=123456789012\n"
                        "AWS_EC2_METADATA_DISABLED=true\n"
                        "KMS_LEASE_ID=0190e4f2-1111-7abc-8def-0123456789ab\n");
}

static void print_env_masks(void **state)
{
    char *inherited[] = {"AWS_PROFILE=de\x1Bv", "AWS_SECURITY_TOKEN=hush", "AWS_SESSION_TOKEN=hush",
                         "HOME=/root", NULL};
    static char text[4096];
    struct text_out out = {.buf = text, .size = sizeof text - 1};
    struct exec_env_plan plan;
    struct grant grant;
    (void)state;

    make_answer(false, "eu-west-1", &grant);
    exec_env_plan(&grant, &plan);
    formats_print_env(&plan, inherited, &out);
    assert_false(out.overflow);
    text[out.len] = '\0';
    assert_non_null(strstr(text, "set AWS_ACCESS_KEY_ID=ASIA…MPLE\n"));
    assert_non_null(strstr(text, "set AWS_SECRET_ACCESS_KEY=… (11 characters, not shown)\n"));
    assert_non_null(strstr(text, "set AWS_REGION=eu-west-1\n"));
    assert_non_null(strstr(text, "unset AWS_PROFILE (was: de?v)\n"));
    assert_non_null(strstr(text, "unset AWS_SECURITY_TOKEN (was set)\n"));
    assert_non_null(strstr(text, "unset AWS_SESSION_TOKEN (was set)\n"));
    assert_null(strstr(text, "hush"));
    assert_null(strstr(text, "sec/ret"));
    assert_null(strstr(text, "AWS_ROLE_ARN"));
    assert_null(strstr(text, "HOME"));
}

static void overflow_is_told(void **state)
{
    char text[64];
    struct text_out out = {.buf = text, .size = sizeof text};
    struct grant grant;
    struct mp_cursor result = make_answer(true, "x", &grant);
    (void)state;

    formats_write(FORMAT_JSON, &grant, result, &out);
    assert_true(out.overflow);
    assert_true(out.len <= sizeof text);
}

/* What would break an environment or a line is refused where the answer is read. */
static void unusable_answers(void **state)
{
    struct grant grant;
    struct err err;
    struct mp_cursor result = make_answer(true, "x", &grant);
    uint8_t copy[sizeof answer];
    size_t len = (size_t)(result.end - result.p);
    (void)state;

    for (int i = 0; i < 4; i++) {
        static const char *const needles[] = {"sec/ret", "to/ken", "ASIA", "eu"};
        uint8_t *at;

        make_answer(true, "eu", &grant);
        memcpy(copy, answer, sizeof copy);
        at = memmem(copy, sizeof copy, needles[i], strlen(needles[i]));
        assert_non_null(at);
        at[1] = i % 2 ? '\n' : '\0';
        struct mp_cursor broken = {copy, copy + len + 1};

        assert_int_equal(grant_read(broken, &grant, &err), KMS_ECONNECT);
    }
    make_answer(true, "x", &grant);
    uint8_t *name = memmem(answer, sizeof answer, "session_token", 13);

    assert_non_null(name);
    name[0] = 'S'; /* temporary credentials without their token */
    assert_int_equal(grant_read(result, &grant, &err), KMS_ECONNECT);
    for (size_t cut = 0; cut + 8 < len; cut++) {
        struct mp_cursor part = {answer, answer + cut};

        assert_int_equal(grant_read(part, &grant, &err), KMS_ECONNECT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(credential_process),
        cmocka_unit_test(json),
        cmocka_unit_test(env_survives_eval),
        cmocka_unit_test(dotenv),
        cmocka_unit_test(print_env_masks),
        cmocka_unit_test(overflow_is_told),
        cmocka_unit_test(unusable_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
