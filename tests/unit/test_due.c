/* SPDX-License-Identifier: Apache-2.0 */
#include "model/due.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define T0 1000000 /* creation */

static struct lease lease;

static int setup(void **state)
{
    (void)state;
    memset(&lease, 0, sizeof(lease));
    lease.state = LEASE_ACTIVE;
    lease.delivered = true;
    lease.created_ms = T0;
    lease.granted_ttl_s = 3600;
    lease.expires_ms = T0 + 3600000;
    lease.last_end_ms = T0 + 86400000;
    return 0;
}

static void expect(enum due_action action, int64_t at_ms)
{
    struct due due = due_next(&lease);

    assert_int_equal(due.action, action);
    assert_int_equal(due.at_ms, at_ms);
}

static void issuing_recovers(void **state)
{
    (void)state;
    lease.state = LEASE_ISSUING;
    expect(DUE_RECOVER, T0 + 90000);
}

static void undelivered_after_the_deadline(void **state)
{
    (void)state;
    lease.delivered = false;
    expect(DUE_UNDELIVERED, T0 + 90000);
    lease.retry_ms = T0 + 200000;
    expect(DUE_UNDELIVERED, T0 + 200000);
    lease.retry_ms = T0 + 10;
    expect(DUE_UNDELIVERED, T0 + 90000);
}

static void undelivered_never_after_the_end(void **state)
{
    (void)state;
    lease.delivered = false;
    lease.expires_ms = T0 + 5000;
    expect(DUE_UNDELIVERED, T0 + 5000);
    lease.expires_ms = T0 + 3600000;
    lease.retry_ms = T0 + 3700000;
    expect(DUE_UNDELIVERED, T0 + 3600000);
}

static void delivered_expires(void **state)
{
    (void)state;
    expect(DUE_EXPIRE, T0 + 3600000);
    lease.recipe.type = CREDENTIAL_SESSION;
    expect(DUE_EXPIRE, T0 + 3600000);
}

static void bound_renews_with_two_minutes_to_spare(void **state)
{
    (void)state;
    lease.bound = true;
    expect(DUE_RENEW, T0 + 3600000 - 120000);
    lease.retry_ms = T0 + 3500000; /* after the renewal's own time: a failed attempt waits */
    expect(DUE_RENEW, T0 + 3500000);
}

static void bound_short_lease_renews_at_half(void **state)
{
    (void)state;
    lease.bound = true;
    lease.granted_ttl_s = 70;
    lease.expires_ms = T0 + 70000;
    expect(DUE_RENEW, T0 + 35000);
    lease.granted_ttl_s = 69;
    expect(DUE_EXPIRE, T0 + 70000);
}

static void a_fence_that_may_be_too_late(void **state)
{
    (void)state;
    lease.fence_ms = T0 + 7200000;
    lease.fence_retry_ms = T0 + 1000;
    expect(DUE_FENCE, T0 + 1000);
    lease.delivered = false; /* then all of it is revoked */
    expect(DUE_UNDELIVERED, T0 + 90000);
    lease.delivered = true;
    lease.fence_retry_ms = T0 + 3600000; /* its end makes it needless */
    expect(DUE_EXPIRE, T0 + 3600000);
    lease.bound = true;
    expect(DUE_RENEW, T0 + 3600000 - 120000);
    lease.fence_retry_ms = T0 + 3000000;
    expect(DUE_FENCE, T0 + 3000000);
    lease.fence_ms = 0;
    expect(DUE_RENEW, T0 + 3600000 - 120000);
}

static void bound_but_not_renewed(void **state)
{
    (void)state;
    lease.bound = true;
    lease.last_end_ms = lease.expires_ms; /* nothing left to gain */
    expect(DUE_EXPIRE, T0 + 3600000);
    setup(NULL);
    lease.bound = true;
    lease.recipe.type = CREDENTIAL_SESSION; /* new keys could not reach the process */
    expect(DUE_EXPIRE, T0 + 3600000);
    setup(NULL);
    lease.bound = true;
    lease.retry_ms = lease.expires_ms; /* the next attempt would come too late */
    expect(DUE_EXPIRE, T0 + 3600000);
}

static void revoking_retries(void **state)
{
    (void)state;
    lease.state = LEASE_REVOKING;
    lease.revoking_ms = T0 + 7;
    expect(DUE_REVOKE, T0 + 7);
    lease.retry_ms = T0 + 60007;
    expect(DUE_REVOKE, T0 + 60007);
}

static void revoked_is_pruned_a_day_later(void **state)
{
    (void)state;
    lease.state = LEASE_REVOKED;
    lease.revoked_ms = T0 + 9;
    expect(DUE_PRUNE, T0 + 9 + 86400000);
}

static void nothing_for_no_record(void **state)
{
    (void)state;
    lease.state = LEASE_NONE;
    expect(DUE_NONE, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(issuing_recovers, setup),
        cmocka_unit_test_setup(undelivered_after_the_deadline, setup),
        cmocka_unit_test_setup(undelivered_never_after_the_end, setup),
        cmocka_unit_test_setup(delivered_expires, setup),
        cmocka_unit_test_setup(bound_renews_with_two_minutes_to_spare, setup),
        cmocka_unit_test_setup(bound_short_lease_renews_at_half, setup),
        cmocka_unit_test_setup(a_fence_that_may_be_too_late, setup),
        cmocka_unit_test_setup(bound_but_not_renewed, setup),
        cmocka_unit_test_setup(revoking_retries, setup),
        cmocka_unit_test_setup(revoked_is_pruned_a_day_later, setup),
        cmocka_unit_test_setup(nothing_for_no_record, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
