/* SPDX-License-Identifier: Apache-2.0 */
#include "model/ttl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define USER CREDENTIAL_IAM_USER
#define SESSION CREDENTIAL_SESSION
#define KEY SECRET_ACCESS_KEY
#define ROLE SECRET_ASSUME_ROLE
#define IRSA SECRET_IRSA
#define MAX 86400 /* max_ttl of the secret in the table, default_ttl is 3600 */

struct row {
    enum secret_method method;
    enum credential_type type;
    int64_t requested_s, max_session_s;
    bool caller_is_session, allow_longer;
    int64_t granted_s, sts_s; /* granted 0: refused */
    const char *text;         /* the reason, or the error */
};

static const struct row rows[] = {
    /* IAM users: the TTL is ours to give, 5 s and up */
    {KEY, USER, 0, 0, false, false, 3600, 0, ""},
    {ROLE, USER, 5, 0, true, false, 5, 0, ""},
    {IRSA, USER, MAX, 0, true, false, MAX, 0, ""},
    {KEY, USER, 4, 0, false, false, 0, 0, "a TTL of 4s is too short: the least is 5s"},
    {KEY, USER, -1, 0, false, false, 0, 0, "a TTL of -1 s is too short: the least is 5s"},
    {KEY, USER, MAX + 1, 0, false, false, 0, 0,
     "a TTL of 1d1s is above the secret's max_ttl of 1d"},
    /* GetSessionToken: 12 h, no policy */
    {KEY, SESSION, 0, 0, false, false, 3600, 3600, ""},
    {KEY, SESSION, 900, 0, false, false, 900, 900, ""},
    {KEY, SESSION, 43200, 0, false, false, 43200, 43200, ""},
    {KEY, SESSION, 43201, 0, false, false, 43200, 43200,
     "GetSessionToken gives the agent at most 12h"},
    {KEY, SESSION, 899, 0, false, false, 0, 0,
     "a TTL of 14m59s is too short: GetSessionToken gives at least 15m and takes no policy that "
     "could end it sooner (allow_longer = true would grant 15m)"},
    {KEY, SESSION, 60, 0, false, true, 900, 900, "GetSessionToken gives at least 15m"},
    {KEY, SESSION, 4, 0, false, true, 0, 0, "a TTL of 4s is too short: the least is 5s"},
    {KEY, SESSION, MAX + 1, 0, false, false, 0, 0,
     "a TTL of 1d1s is above the secret's max_ttl of 1d"},
    /* AssumeRole: 1 h, up to 12 h by configuration, 1 h when the caller is a session */
    {ROLE, SESSION, 0, 0, false, false, 3600, 3600, ""},
    {ROLE, SESSION, 7200, 0, false, false, 3600, 3600, "AssumeRole gives at most 1h"},
    {ROLE, SESSION, 7200, 43200, false, false, 7200, 7200, ""},
    {ROLE, SESSION, MAX, 43200, false, false, 43200, 43200, "AssumeRole gives at most 12h"},
    {ROLE, SESSION, MAX, 99999, false, false, 43200, 43200, "AssumeRole gives at most 12h"},
    {ROLE, SESSION, 7200, 43200, true, false, 3600, 3600,
     "AssumeRole from a session (role chaining) gives at most 1h"},
    {ROLE, SESSION, 3600, 43200, true, false, 3600, 3600, ""},
    /* below STS's least the session policy ends it */
    {ROLE, SESSION, 60, 0, false, false, 60, 900, ""},
    {ROLE, SESSION, 899, 0, true, false, 899, 900, ""},
    {ROLE, SESSION, 900, 0, false, false, 900, 900, ""},
    {ROLE, SESSION, 4, 0, false, false, 0, 0, "a TTL of 4s is too short: the least is 5s"},
    /* AssumeRoleWithWebIdentity: 12 h, it is not role chaining */
    {IRSA, SESSION, 43200, 0, true, false, 43200, 43200, ""},
    {IRSA, SESSION, MAX, 0, false, false, 43200, 43200,
     "AssumeRoleWithWebIdentity gives at most 12h"},
    {IRSA, SESSION, MAX, 7200, false, false, 7200, 7200,
     "AssumeRoleWithWebIdentity gives at most 2h"},
    {IRSA, SESSION, 5, 0, false, false, 5, 900, ""},
};

static void grant_row(const struct row *row)
{
    struct recipe recipe = {
        .method = row->method, .type = row->type, .default_ttl_s = 3600, .max_ttl_s = MAX};
    struct ttl_request request = {&recipe, row->requested_s, row->max_session_s,
                                  row->caller_is_session, row->allow_longer};
    struct ttl_grant grant = {.granted_s = -7};
    struct err err = {0};
    int rc = ttl_grant(&request, &grant, &err);

    if (row->granted_s == 0) {
        assert_int_equal(rc, KMS_ETTL);
        assert_int_equal(err.code, KMS_ETTL);
        assert_string_equal(err.message, row->text);
        assert_int_equal(grant.granted_s, -7); /* outputs are untouched on failure */
        return;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(grant.requested_s, row->requested_s != 0 ? row->requested_s : 3600);
    assert_int_equal(grant.granted_s, row->granted_s);
    assert_int_equal(grant.sts_s, row->sts_s);
    assert_int_equal(grant.dated_policy, row->sts_s > row->granted_s);
    assert_string_equal(grant.reason, row->text);
}

static void grant_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("row %zu\n", i);
        grant_row(&rows[i]);
    }
}

/* allow_longer must not lengthen a lease beyond what the secret allows. */
static void longer_stays_within_max_ttl(void **state)
{
    struct recipe recipe = {.method = KEY, .type = SESSION, .default_ttl_s = 60, .max_ttl_s = 600};
    struct ttl_request request = {.recipe = &recipe, .allow_longer = true};
    struct ttl_grant grant;
    struct err err = {0};

    (void)state;
    assert_int_equal(ttl_grant(&request, &grant, &err), KMS_ETTL);
    assert_string_equal(err.message, "GetSessionToken gives at least 15m, which is above the "
                                     "secret's max_ttl of 10m");
}

#define T0 1000000000LL /* creation; the lease in the table ends an hour later, max is a day */
#define HOUR 3600000LL

struct renewal_row {
    int64_t now_ms, ttl_s, frozen_s, current_s;
    int code;
    int64_t expires_ms;
    const char *text;
};

static const struct renewal_row renewals[] = {
    {T0 + 1800000, 3600, MAX, MAX, 0, T0 + 1800000 + HOUR, ""},
    /* the last moment that is accepted, and the first that is not */
    {T0 + HOUR - 30000, 3600, MAX, MAX, 0, T0 + HOUR - 30000 + HOUR, ""},
    {T0 + HOUR - 29999, 3600, MAX, MAX, KMS_EENDED, 0,
     "the lease ends in less than 30s: too late to renew it, AWS takes seconds to spread a change"},
    {T0 + HOUR, 3600, MAX, MAX, KMS_EENDED, 0, "the lease has ended"},
    {T0 + 2 * HOUR, 3600, MAX, MAX, KMS_EENDED, 0, "the lease has ended"},
    /* the smaller max counts, whichever it is */
    {T0 + 1800000, 36000, 7200, MAX, 0, T0 + 2 * HOUR, "max_ttl is 2h from the start of the lease"},
    {T0 + 1800000, 36000, MAX, 7200, 0, T0 + 2 * HOUR, "max_ttl is 2h from the start of the lease"},
    {T0 + 1800000, 5400, 7200, MAX, 0, T0 + 2 * HOUR, ""},
    /* nothing gained */
    {T0 + 1800000, 36000, 3600, MAX, KMS_ENORENEW, 0,
     "the lease already ends as late as it may: max_ttl is 1h from its start"},
    {T0 + 1800000, 36000, MAX, 60, KMS_ENORENEW, 0,
     "the lease already ends as late as it may: max_ttl is 1m from its start"},
    {T0 + 1800000, 60, MAX, MAX, KMS_ENORENEW, 0,
     "the lease already ends later than 1m from now, a renewal never shortens it"},
    {T0 + 1800000, 1800, MAX, MAX, KMS_ENORENEW, 0,
     "the lease already ends later than 30m from now, a renewal never shortens it"},
    {T0 + 1800000, 4, MAX, MAX, KMS_ETTL, 0, "a TTL of 4s is too short: the least is 5s"},
    {T0 + 1800000, INT64_MAX, MAX, MAX, 0, T0 + MAX * 1000LL,
     "max_ttl is 1d from the start of the lease"},
};

static void renewal_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(renewals) / sizeof(renewals[0]); i++) {
        const struct renewal_row *row = &renewals[i];
        struct ttl_renewal renewal = {row->now_ms,    T0,         T0 + HOUR, row->frozen_s,
                                      row->current_s, row->ttl_s, false};
        int64_t expires_ms = -7;
        char reason[160] = "untouched";
        struct err err = {0};

        print_message("row %zu\n", i);
        assert_int_equal(ttl_renew(&renewal, &expires_ms, reason, &err), row->code);
        if (row->code == 0) {
            assert_int_equal(expires_ms, row->expires_ms);
            assert_string_equal(reason, row->text);
        } else {
            assert_string_equal(err.message, row->text);
            assert_int_equal(expires_ms, -7);
            assert_string_equal(reason, "untouched");
        }
    }
}

/* What was asked for is measured by today's max_ttl alone: above it is an error, not a clamp. */
static void renewal_asked_for(void **state)
{
    struct ttl_renewal renewal = {T0 + 1800000, T0, T0 + HOUR, MAX, 7200, 7201, true};
    int64_t expires_ms;
    char reason[160];
    struct err err = {0};

    (void)state;
    assert_int_equal(ttl_renew(&renewal, &expires_ms, reason, &err), KMS_ETTL);
    assert_string_equal(err.message, "a TTL of 2h1s is above the secret's max_ttl of 2h");
    renewal.ttl_s = 7200;
    assert_int_equal(ttl_renew(&renewal, &expires_ms, reason, &err), 0);
    assert_string_equal(reason, "max_ttl is 2h from the start of the lease");
    renewal.frozen_max_s = 3600;
    assert_int_equal(ttl_renew(&renewal, &expires_ms, reason, &err), KMS_ENORENEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grant_table),
        cmocka_unit_test(longer_stays_within_max_ttl),
        cmocka_unit_test(renewal_table),
        cmocka_unit_test(renewal_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
