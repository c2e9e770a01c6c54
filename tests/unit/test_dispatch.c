/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as they come in and answers as they go out, on fakes of store, scheduler, lease work and
 * configuration: what is refused and how, and who may do what. */
#include "service_world.h"

#include "common/log.h"
#include "service/access.h"

static const char unknown_id[] = "01ffffff-ffff-ffff-ffff-ffffffffffff";

/* ---- what is refused whoever asks ---- */

static void test_unknown_method(void **state)
{
    (void)state;
    ask("lease.steal", 77, 0);
    send_as(1000);
    assert_string_equal(code(), "unknown_method");
    assert_string_equal(message(), "there is no method \"lease.steal\"");
    assert_int_equal(answered_msgid(), 77);
    call(1000, "", NULL, NULL);
    assert_string_equal(code(), "unknown_method");
}

static void test_unknown_parameter(void **state)
{
    (void)state;
    call(1000, "lease.get", "id", "x");
    assert_string_equal(code(), "invalid_request");
    assert_string_equal(message(), "unknown parameter \"id\"");
    assert_string_equal(text_at(part_of_answer(2), "hint"), "the parameters are: lease_id");
    call(1000, "agent.status", "secret", "deploy");
    assert_string_equal(text_at(part_of_answer(2), "hint"), "the parameters are: none");
}

static void test_missing_parameter(void **state)
{
    static const char *const methods[] = {"lease.issue", "lease.renew", "lease.get", "secret.get",
                                          "lease.revoke"};

    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        call(1000, methods[i], NULL, NULL);
        assert_string_equal(code(), "invalid_request");
    }
    call(1000, "lease.revoke", "secret", "deploy"); /* without all */
    assert_string_equal(code(), "invalid_request");
    assert_int_equal(fakes.job_count, 0);
    assert_int_equal(fakes.audit_count, 0);
}

static void test_wrong_type(void **state)
{
    struct mp_writer *w = ask("lease.issue", 1, 1);

    (void)state;
    mp_put_str(w, "secret");
    mp_put_uint(w, 3);
    send_as(1000);
    assert_string_equal(code(), "invalid_request");
    assert_string_equal(message(), "secret must be the name of a secret");
}

static void test_seventeenth_is_busy(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < PROTO_IN_FLIGHT_MAX; i++) {
        ask("lease.list", i, 0);
        send_as(1000);
        assert_int_equal(world.answer_len, 0);
    }
    assert_int_equal(service_in_flight(world.service, conn), 16);
    assert_int_equal(
        service_in_flight(world.service, (struct conn_ref){.slot = 70, .generation = 4}), 0);
    ask("agent.status", 99, 0);
    send_as(1000);
    assert_string_equal(code(), "busy");
    assert_int_equal(answered_msgid(), 99);
    fake_run_jobs();
    assert_int_equal(world.answers, 17);
    assert_int_equal(service_in_flight(world.service, conn), 0);
    ask("agent.status", 100, 0);
    send_as(1000);
    assert_string_equal(code(), "");
}

/* A peer that does not read gets no more lists, and all else. */
static void test_unread_lists(void **state)
{
    static const char *const lists[] = {"lease.list", "audit.list", "secret.list"};

    (void)state;
    world.unread = SERVICE_ANSWERS_UID_MAX;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        call(1000, lists[i], NULL, NULL);
        assert_string_equal(code(), "busy");
    }
    assert_int_equal(fakes.job_count, 0);
    call(1000, "agent.status", NULL, NULL);
    assert_string_equal(code(), "");
    world.unread = 0;
    for (int i = 0; i < 100; i++) { /* room is given back */
        call(1000, "lease.list", NULL, NULL);
        fake_run_jobs();
        assert_string_equal(code(), "");
    }
}

static void test_pool_is_full(void **state)
{
    (void)state;
    fakes.submit_rc = KMS_EBUSY;
    call(1000, "lease.issue", "secret", "deploy");
    assert_string_equal(code(), "busy");
    assert_int_equal(fakes.freed, 1);
    call(1000, "lease.list", NULL, NULL);
    assert_string_equal(code(), "busy");
    fakes.submit_rc = KMS_ESTOPPING;
    call(0, "agent.reload", NULL, NULL);
    assert_string_equal(code(), "stopping");
    assert_int_equal(service_in_flight(world.service, conn), 0);
}

/* ---- who may: credentials ---- */

struct issue_case {
    uint32_t uid, group;
    const char *unit;
    const char *rule; /* NULL: denied */
};

static void test_who_may_issue(void **state)
{
    static const struct issue_case cases[] = {
        {1000, 0, NULL, "user:app"},
        {1003, 2000, NULL, "group:ops"},
        {1003, 0, "web.service", "unit:web.service"},
        {1000, 0, "other.service", "user:app"},
        {1003, 0, NULL, NULL},
        {1003, 0, "other.service", NULL},
        {1003, 3000, NULL, NULL}, /* an admin has no right to a credential */
        {0, 0, NULL, NULL},       /* nor has root */
        {65534, 0, NULL, NULL},   /* though a rule names it */
        {65534, 2000, NULL, NULL},
        {65534, 0, "web.service", NULL},
        {UINT32_MAX, 0, NULL, NULL},
        {UINT32_MAX, 2000, "web.service", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world.group = cases[i].group;
        world.unit = cases[i].unit;
        call(cases[i].uid, "lease.issue", "secret", "deploy");
        assert_int_equal(fakes.job_count, cases[i].rule != NULL);
        if (cases[i].rule == NULL) {
            assert_string_equal(code(), "not_allowed");
            continue;
        }
        assert_int_equal(world.answer_len, 0);
        assert_string_equal(fakes.issue_params.owner.rule, cases[i].rule);
        assert_int_equal(fakes.issue_params.owner.uid, cases[i].uid);
        assert_string_equal(fakes.issue_params.owner.command, "kms-exec");
        fakes.job_count = 0;
        fakes.issue->job.rc = KMS_EAWSDOWN;
        fakes.issue->finished(fakes.issue, fakes.issue->arg);
        assert_string_equal(code(), "aws_unavailable");
    }
}

/* A secret one may not use and one that is not there look the same. */
static void test_denial_tells_nothing(void **state)
{
    char hidden[1024], missing[1024], *name;

    (void)state;
    call(1000, "lease.issue", "secret", "hidden");
    assert_string_equal(code(), "not_allowed");
    snprintf(hidden, sizeof hidden, "%s", message());
    assert_string_equal(hidden, "secret \"hidden\" does not exist or is not allowed for uid 1000");
    call(1000, "lease.issue", "secret", "absent");
    snprintf(missing, sizeof missing, "%s", message());
    name = strstr(missing, "absent");
    assert_non_null(name);
    memcpy(name, "hidden", 6);
    assert_string_equal(hidden, missing);
    call(1000, "secret.get", "secret", "hidden");
    assert_string_equal(message(), hidden);
    assert_int_equal(fakes.audit_count, 3);
    assert_int_equal(fakes.audits[0].event, AUDIT_DENIED);
    assert_int_equal(fakes.audits[0].owner.uid, 1000);
    assert_string_equal(fakes.audits[0].secret, "hidden");
}

static void test_denials_are_limited(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        call(1003, "lease.issue", "secret", "deploy");
    assert_int_equal(fakes.audit_count, DENIALS_PER_MINUTE);
    call(1004, "lease.issue", "secret", "deploy");
    assert_int_equal(fakes.audit_count, DENIALS_PER_MINUTE + 1);
    assert_int_equal(world.answers, 51);
}

/* ---- who may: leases ---- */

/* What each kind of peer gets for each method on the same lease of uid 1000. */
static void test_who_may_touch_a_lease(void **state)
{
    static const struct {
        uint32_t uid, group;
        const char *get, *renew, *revoke; /* NULL: it is done */
    } cases[] = {
        {1000, 0, NULL, NULL, NULL},
        {1003, 0, "no_such_lease", "no_such_lease", "no_such_lease"},
        {1003, 2000, "no_such_lease", "no_such_lease", "no_such_lease"},
        {0, 0, NULL, "no_such_lease", NULL},
        {1003, 3000, NULL, "no_such_lease", NULL},
        {65534, 0, "not_allowed", "not_allowed", "not_allowed"},
        {65534, 3000, "not_allowed", "not_allowed", "not_allowed"},
        {UINT32_MAX, 0, "not_allowed", "not_allowed", "not_allowed"},
    };
    const char *id = add_lease(1000, "user:app", LEASE_ACTIVE);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world.group = cases[i].group;
        call(cases[i].uid, "lease.get", "lease_id", id);
        assert_string_equal(code(), cases[i].get != NULL ? cases[i].get : "");
        call(cases[i].uid, "lease.renew", "lease_id", id);
        assert_int_equal(fakes.job_count, cases[i].renew == NULL);
        if (cases[i].renew == NULL) {
            fakes.job_count = 0;
            fakes.renew->finished(fakes.renew, fakes.renew->arg);
        }
        assert_string_equal(code(), cases[i].renew != NULL ? cases[i].renew : "");
        call(cases[i].uid, "lease.revoke", "lease_id", id);
        assert_int_equal(fakes.job_count, cases[i].revoke == NULL);
        if (cases[i].revoke == NULL) {
            assert_int_equal(fakes.revoke->reason,
                             cases[i].uid == 1000 ? REVOKE_CLIENT : REVOKE_ADMIN);
            assert_int_equal(fakes.revoke->actor.uid, cases[i].uid);
            fakes.job_count = 0;
            fakes.revoke->finished(fakes.revoke, fakes.revoke->arg);
        }
        assert_string_equal(code(), cases[i].revoke != NULL ? cases[i].revoke : "");
    }
}

static void test_foreign_lease_looks_absent(void **state)
{
    static const char *const methods[] = {"lease.get", "lease.renew", "lease.revoke"};
    char foreign[1024], absent[1024], id[UUID_TEXT_SIZE];

    (void)state;
    snprintf(id, sizeof id, "%s", add_lease(1000, "user:app", LEASE_ACTIVE));
    for (size_t i = 0; i < 3; i++) {
        call(1003, methods[i], "lease_id", id);
        snprintf(foreign, sizeof foreign, "%s", message());
        assert_non_null(strstr(foreign, id));
        memset(strstr(foreign, id), '#', strlen(id));
        call(1003, methods[i], "lease_id", unknown_id);
        assert_string_equal(code(), "no_such_lease");
        snprintf(absent, sizeof absent, "%s", message());
        assert_non_null(strstr(absent, unknown_id));
        memset(strstr(absent, unknown_id), '#', strlen(unknown_id));
        assert_string_equal(foreign, absent);
    }
    assert_int_equal(fakes.audit_count, 6); /* both are recorded alike */
}

/* A unit rule granted it: the same uid in another unit is somebody else. */
static void test_unit_lease(void **state)
{
    const char *id = add_lease(1003, "unit:web.service", LEASE_ACTIVE);

    (void)state;
    call(1003, "lease.get", "lease_id", id);
    assert_string_equal(code(), "no_such_lease");
    world.unit = "other.service";
    call(1003, "lease.get", "lease_id", id);
    assert_string_equal(code(), "no_such_lease");
    world.unit = "web.service";
    call(1003, "lease.get", "lease_id", id);
    assert_string_equal(code(), "");
    assert_string_equal(result("rule"), "unit:web.service");
}

static void test_renewal_needs_todays_authorization(void **state)
{
    const char *id = add_lease(1005, "user:former", LEASE_ACTIVE);

    (void)state;
    call(1005, "lease.renew", "lease_id", id);
    assert_string_equal(code(), "not_allowed");
    call(1005, "lease.revoke", "lease_id", id); /* but ending it is fine */
    assert_int_equal(fakes.job_count, 1);
    fake_finish_revokes();
    assert_string_equal(result("state"), "revoking");
    assert_string_equal(result("lease_id"), id);
}

static void test_admins_only(void **state)
{
    (void)state;
    call(1000, "agent.reload", NULL, NULL);
    assert_string_equal(code(), "not_allowed");
    mp_put_str(ask("lease.list", 1, 1), "all");
    mp_put_bool(&request, true);
    send_as(1000);
    assert_string_equal(code(), "not_allowed");
    mp_put_str(ask("secret.list", 1, 1), "all");
    mp_put_bool(&request, true);
    send_as(1000);
    assert_string_equal(code(), "not_allowed");
    assert_int_equal(fakes.job_count, 0);
    assert_int_equal(fakes.loads, 0);
}

static void test_status_is_for_anybody(void **state)
{
    static const uint32_t uids[] = {1003, 65534, UINT32_MAX};

    (void)state;
    service_set_identity(world.service, "deploy", "arn:aws:iam::1:user/m", "1", false, "denied");
    service_set_identity(world.service, "deploy", "arn:aws:iam::2:user/m", "2", true, NULL);
    for (size_t i = 0; i < 3; i++) {
        call(uids[i], "agent.status", NULL, NULL);
        assert_string_equal(code(), "");
        assert_false(has("management"));
    }
    assert_string_equal(result("version"), "1.2");
    assert_int_equal(number("pid"), getpid());
    assert_int_equal(number("ready"), true);
    assert_int_equal(number("live_leases"), 12);
    assert_int_equal(number("overdue_s"), 2);
    assert_int_equal(number("connections"), 9);
    assert_true(has("store"));
    call(0, "agent.status", NULL, NULL);
    assert_int_equal(rows("management"), 1);
    assert_int_equal(fakes.overdue_reads, 1); /* not for each who asks */
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_unknown_method),
        T(test_unknown_parameter),
        T(test_missing_parameter),
        T(test_wrong_type),
        T(test_seventeenth_is_busy),
        T(test_unread_lists),
        T(test_pool_is_full),
        T(test_who_may_issue),
        T(test_denial_tells_nothing),
        T(test_denials_are_limited),
        T(test_who_may_touch_a_lease),
        T(test_foreign_lease_looks_absent),
        T(test_unit_lease),
        T(test_renewal_needs_todays_authorization),
        T(test_admins_only),
        T(test_status_is_for_anybody),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
