/* SPDX-License-Identifier: Apache-2.0 */
#include "model/audit.h"
#include "model/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NO (-1)

/* Every cell, written out once more and independently of lease.c: rows are states, columns events.
 */
static const int expected[LEASE_STATE_COUNT][LEASE_EVENT_COUNT] = {
    /*           INTEND         GRANT         RENEW         REVOKE          GONE PRUNE FIND */
    /* none */ {LEASE_ISSUING, LEASE_ACTIVE, NO, NO, NO, NO, LEASE_REVOKING},
    /* issuing */ {NO, LEASE_ACTIVE, NO, LEASE_REVOKING, LEASE_REVOKED, NO, NO},
    /* active */ {NO, NO, LEASE_ACTIVE, LEASE_REVOKING, LEASE_REVOKED, NO, NO},
    /* revoking */ {NO, NO, NO, LEASE_REVOKING, LEASE_REVOKED, NO, NO},
    /* revoked */ {NO, NO, NO, NO, NO, LEASE_NONE, LEASE_REVOKING},
};

static void every_cell(void **state)
{
    (void)state;
    for (int s = 0; s < LEASE_STATE_COUNT; s++)
        for (int e = 0; e < LEASE_EVENT_COUNT; e++)
            if (lease_next((enum lease_state)s, (enum lease_event)e) != expected[s][e])
                fail_msg("state %d, event %d: %d, expected %d", s, e,
                         lease_next((enum lease_state)s, (enum lease_event)e), expected[s][e]);
}

static void out_of_range_is_refused(void **state)
{
    (void)state;
    assert_int_equal(lease_next((enum lease_state)LEASE_STATE_COUNT, LEASE_EVENT_REVOKE), -1);
    assert_int_equal(lease_next((enum lease_state) - 1, LEASE_EVENT_REVOKE), -1);
    assert_int_equal(lease_next(LEASE_ACTIVE, (enum lease_event)LEASE_EVENT_COUNT), -1);
    assert_int_equal(lease_next(LEASE_ACTIVE, (enum lease_event) - 1), -1);
}

/* A revoked credential must never come back, whatever happens. */
static void revoked_never_lives_again(void **state)
{
    (void)state;
    for (int e = 0; e < LEASE_EVENT_COUNT; e++) {
        int from_revoking = lease_next(LEASE_REVOKING, (enum lease_event)e);
        int from_revoked = lease_next(LEASE_REVOKED, (enum lease_event)e);

        assert_true(from_revoking == -1 || from_revoking >= LEASE_REVOKING);
        /* What a sweep finds is revoked once more. */
        assert_true(from_revoked == -1 || from_revoked == LEASE_NONE ||
                    (e == LEASE_EVENT_FIND && from_revoked == LEASE_REVOKING));
    }
}

static void names_round_trip(void **state)
{
    static const char *const names[] = {"none", "issuing", "active", "revoking", "revoked"};
    enum lease_state parsed = LEASE_NONE;

    (void)state;
    for (int s = 0; s < LEASE_STATE_COUNT; s++) {
        assert_string_equal(lease_state_name((enum lease_state)s), names[s]);
        assert_int_equal(lease_state_parse(names[s], &parsed), 0);
        assert_int_equal(parsed, s);
    }
    assert_int_equal(lease_state_parse("Active", &parsed), -1);
    assert_string_equal(lease_state_name((enum lease_state)99), "unknown");
    assert_string_equal(revoke_reason_name(REVOKE_PEER_EXIT), "peer_exit");
    assert_string_equal(revoke_reason_name(REVOKE_RECOVERED), "recovered");
    assert_string_equal(revoke_reason_name((enum revoke_reason)99), "unknown");
}

static void live_states(void **state)
{
    static const bool live[LEASE_STATE_COUNT] = {false, true, true, true, false};
    static struct lease lease;

    (void)state;
    for (int s = 0; s < LEASE_STATE_COUNT; s++) {
        lease.state = (enum lease_state)s;
        assert_int_equal(lease_is_live(&lease), live[s]);
    }
}

static void recipe_names(void **state)
{
    enum secret_method method;
    enum credential_type type;

    (void)state;
    assert_int_equal(secret_method_parse("assume-role", &method), 0);
    assert_int_equal(method, SECRET_ASSUME_ROLE);
    assert_string_equal(secret_method_name(SECRET_IRSA), "irsa");
    assert_string_equal(secret_method_name(SECRET_ACCESS_KEY), "access-key");
    assert_int_equal(secret_method_parse("assume_role", &method), -1);
    assert_int_equal(credential_type_parse("temporary-credentials", &type), 0);
    assert_int_equal(type, CREDENTIAL_SESSION);
    assert_string_equal(credential_type_name(CREDENTIAL_IAM_USER), "iam-user");
    assert_int_equal(credential_type_parse("", &type), -1);
}

static void audit_line_of_a_lease(void **state)
{
    static struct lease lease;
    struct audit audit;

    (void)state;
    lease.id.bytes[0] = 7;
    lease.owner.uid = 1000;
    lease.reason = REVOKE_CLIENT;
    lease.expires_ms = 123000;
    strcpy(lease.secret, "deploy");
    strcpy(lease.access_key_id, "AKIAEXAMPLE");
    strcpy(lease.user_name, "kms-deploy-1");
    memset(lease.error, 'e', sizeof(lease.error) - 1);
    strcpy(lease.error_action, "DeleteUser");
    audit_from_lease(&audit, AUDIT_REVOKED, &lease, 99);
    assert_int_equal(audit.time_ms, 99);
    assert_int_equal(audit.event, AUDIT_REVOKED);
    assert_true(uuid_equal(&audit.lease_id, &lease.id));
    assert_int_equal(audit.owner.uid, 1000);
    assert_int_equal(audit.reason, REVOKE_CLIENT);
    assert_int_equal(audit.expires_ms, 123000);
    assert_string_equal(audit.secret, "deploy");
    assert_string_equal(audit.access_key_id, "AKIAEXAMPLE");
    assert_string_equal(audit.user_name, "kms-deploy-1");
    assert_string_equal(audit.detail, "");
    audit_from_lease(&audit, AUDIT_STUCK, &lease, 99);
    assert_int_equal(strlen(audit.detail), sizeof(audit.detail) - 1);
    assert_string_equal(audit.aws_action, "DeleteUser");
    assert_string_equal(audit_event_name(AUDIT_STUCK), "stuck");
    assert_string_equal(audit_event_name((enum audit_event)0), "unknown");
    assert_string_equal(audit_event_name((enum audit_event)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell),
        cmocka_unit_test(out_of_range_is_refused),
        cmocka_unit_test(revoked_never_lives_again),
        cmocka_unit_test(names_round_trip),
        cmocka_unit_test(live_states),
        cmocka_unit_test(recipe_names),
        cmocka_unit_test(audit_line_of_a_lease),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
