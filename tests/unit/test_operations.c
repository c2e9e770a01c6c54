/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on fakes: answers of issue and renew, what becomes of an answer that is not
 * delivered, lists and their pages, revoking all, reloading. (Who may call them: test_dispatch.) */
#include "service_world.h"

#include "base/descriptors.h"
#include "common/log.h"
#include "service/answer.h"
#include "service/failure.h"

#include <errno.h>

/* ---- lease.issue ---- */

static void ask_issue(bool bind, int64_t ttl_s)
{
    struct mp_writer *w = ask("lease.issue", 8, 2u + (ttl_s != 0));

    mp_put_str(w, "secret");
    mp_put_str(w, "deploy");
    mp_put_str(w, "bind");
    mp_put_bool(w, bind);
    if (ttl_s != 0) {
        mp_put_str(w, "ttl_s");
        mp_put_int(w, ttl_s);
    }
    send_as(1000);
}

/* The mint is done. */
static void finish_issue(enum credential_type type, bool bound)
{
    struct issue *issue = fakes.issue;
    struct lease *lease = &issue->lease;

    *lease = (struct lease){.state = LEASE_ACTIVE,
                            .bound = bound,
                            .ready = true,
                            .owner = fakes.issue_params.owner,
                            .requested_ttl_s = 7200,
                            .granted_ttl_s = 3600,
                            .created_ms = 1000,
                            .expires_ms = 3601000,
                            .last_end_ms = 9000000,
                            .access_key_id = "AKIA1",
                            .arn = "arn:aws:iam::123456789012:user/kms/x",
                            .account_id = "123456789012",
                            .secret = "deploy"};
    lease->id.bytes[0] = 1;
    lease->recipe = fake_secrets[0].recipe;
    lease->recipe.type = type;
    if (type == CREDENTIAL_IAM_USER)
        strcpy(lease->user_name, "kms-deploy-x");
    else
        lease->credential_expires_ms = 4000000;
    assert_int_equal(secret_set(&issue->credential.secret_access_key, "s3cr3t", 6), 0);
    if (type == CREDENTIAL_SESSION)
        assert_int_equal(secret_set(&issue->credential.session_token, "t0k3n", 5), 0);
    strcpy(issue->lease.clamp_reason, "because");
    fakes.job_count = 0;
    issue->finished(issue, issue->arg);
}

static void test_issue_iam_user(void **state)
{
    (void)state;
    ask_issue(false, 7200);
    assert_int_equal(fakes.issue_params.ttl_s, 7200);
    assert_false(fakes.issue_params.bind);
    assert_false(fakes.issue_params.shared);
    assert_true(fakes.issue->job.deadline_ms > 0);
    finish_issue(CREDENTIAL_IAM_USER, false);
    assert_int_equal(answered_msgid(), 8);
    assert_string_equal(result("secret"), "deploy");
    assert_string_equal(result("credential_type"), "iam-user");
    assert_string_equal(result("access_key_id"), "AKIA1");
    assert_string_equal(result("secret_access_key"), "s3cr3t");
    assert_false(has("session_token"));
    assert_string_equal(result("username"), "kms-deploy-x");
    assert_string_equal(result("account_id"), "123456789012");
    assert_string_equal(result("region"), "eu-west-1");
    assert_string_equal(result("issued_at"), "1970-01-01T00:00:01Z");
    assert_string_equal(result("expires_at"), "1970-01-01T01:00:01Z");
    assert_string_equal(result("clamp_reason"), "because");
    assert_int_equal(number("requested_ttl_s"), 7200);
    assert_int_equal(number("granted_ttl_s"), 3600);
    assert_int_equal(number("renewable"), true);
    assert_int_equal(number("ready"), true);
    assert_int_equal(number("bound"), false);
    assert_int_equal(number("shared"), false);
    assert_false(has("credential_expires_at"));
    assert_int_equal(fakes.delivered, 1);
    assert_int_equal(fakes.undelivered, 0);
    assert_int_equal(fakes.freed, 1);
}

static void test_issue_session(void **state)
{
    struct mp_writer *w = ask("lease.issue", 1, 2);

    (void)state;
    mp_put_str(w, "secret");
    mp_put_str(w, "deploy");
    mp_put_str(w, "region");
    mp_put_str(w, "us-east-1");
    send_as(1000);
    finish_issue(CREDENTIAL_SESSION, false);
    assert_string_equal(result("credential_type"), "temporary-credentials");
    assert_string_equal(result("session_token"), "t0k3n");
    assert_string_equal(result("region"), "us-east-1");
    assert_string_equal(result("credential_expires_at"), "1970-01-01T01:06:40Z");
    assert_false(has("username"));
}

static void test_issue_wrong_region(void **state)
{
    static const char *const regions[] = {"cn-north-1", "mars-north-1"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct mp_writer *w = ask("lease.issue", 1, 2);

        mp_put_str(w, "secret");
        mp_put_str(w, "deploy");
        mp_put_str(w, "region");
        mp_put_str(w, regions[i]);
        send_as(1000);
        assert_string_equal(code(), "invalid_request");
    }
    assert_int_equal(fakes.job_count, 0);
}

static void test_issue_bound(void **state)
{
    (void)state;
    ask_issue(true, 0);
    assert_true(fakes.issue_params.bind);
    assert_int_equal(fakes.issue_params.process.pid, 4321);
    finish_issue(CREDENTIAL_IAM_USER, true);
    assert_int_equal(fakes.bound, 1);
    assert_int_equal(fakes.delivered, 1);
    assert_int_equal(number("bound"), true);
}

/* A lease that cannot be watched is not handed out. */
static void test_issue_bind_fails(void **state)
{
    (void)state;
    fakes.bind_rc = KMS_ENOMEM;
    ask_issue(true, 0);
    finish_issue(CREDENTIAL_IAM_USER, true);
    assert_string_equal(code(), "out_of_memory");
    assert_int_equal(fakes.undelivered, 1);
    assert_int_equal(fakes.delivered, 0);
    assert_null(memmem(world.answer, world.answer_len, "s3cr3t", 6));
}

/* No descriptor for one more process: refused before anything is made, while leases that are not
 * bound go on; what is given back may be used again. */
static void test_issue_bound_at_the_limit(void **state)
{
    unsigned most;

    (void)state;
    (void)descriptors_share_out(8);
    most = descriptors_bound_max();
    while (descriptors_take_bound())
        ;
    ask_issue(true, 0);
    assert_string_equal(code(), "limit_reached");
    assert_non_null(memmem(world.answer, world.answer_len, "LimitNOFILE", 11));
    assert_int_equal(fakes.job_count, 0);
    ask_issue(false, 0);
    finish_issue(CREDENTIAL_IAM_USER, false);
    assert_int_equal(fakes.delivered, 1);
    descriptors_give_bound();
    ask_issue(true, 0);
    assert_int_equal(descriptors_bound(), most); /* from the request on, not from the mint on */
    finish_issue(CREDENTIAL_IAM_USER, true);
    assert_int_equal(fakes.bound, 1);
    assert_int_equal(descriptors_bound(), most - 1); /* the scheduler's to count */
    descriptors_give_bound();
    fakes.bind_rc = KMS_ENOMEM;
    ask_issue(true, 0);
    finish_issue(CREDENTIAL_IAM_USER, true);
    while (most-- > 2)
        descriptors_give_bound();
    assert_int_equal(descriptors_bound(), 0);
}

/* The kernel's word at accept: no descriptor is not "no such process". */
static void test_issue_bound_without_pidfd(void **state)
{
    (void)state;
    world.pidfd_error = EMFILE;
    ask_issue(true, 0);
    assert_string_equal(code(), "limit_reached");
    world.pidfd_error = ESRCH;
    ask_issue(true, 0);
    assert_string_equal(code(), "invalid_request");
    assert_int_equal(fakes.job_count, 0);
    assert_int_equal(descriptors_bound(), 0);
}

static void test_issue_not_written(void **state)
{
    (void)state;
    world.write_fails = true;
    ask_issue(false, 0);
    finish_issue(CREDENTIAL_IAM_USER, false);
    assert_int_equal(fakes.undelivered, 1);
    assert_int_equal(fakes.delivered, 0);
}

/* The client is gone: the job is told, and what it made all the same is revoked. */
static void test_issue_client_gone(void **state)
{
    (void)state;
    ask_issue(true, 0);
    assert_false(atomic_load(&fakes.issue->job.canceled));
    service_gone(world.service, (struct conn_ref){.slot = 70, .generation = 6});
    assert_false(atomic_load(&fakes.issue->job.canceled));
    service_gone(world.service, conn);
    assert_true(atomic_load(&fakes.issue->job.canceled));
    assert_int_equal(service_in_flight(world.service, conn), 0);
    finish_issue(CREDENTIAL_IAM_USER, true);
    assert_int_equal(fakes.undelivered, 1);
    assert_int_equal(fakes.bound, 0);
    assert_int_equal(world.answers, 0);
}

static void test_issue_fails(void **state)
{
    (void)state;
    ask_issue(false, 0);
    fakes.issue->job.rc = KMS_EAWSDENIED;
    err_set(&fakes.issue->err, KMS_EAWSDENIED, "CreateUser: not authorized");
    strcpy(fakes.issue->err.aws_code, "AccessDenied");
    fakes.job_count = 0;
    fakes.issue->finished(fakes.issue, fakes.issue->arg);
    assert_string_equal(code(), "aws_denied");
    assert_string_equal(text_at(part_of_answer(2), "aws_code"), "AccessDenied");
    ask_issue(false, 0);
    fakes.issue->job.rc = KMS_ECANCELED; /* by a stop, not by the client */
    fakes.job_count = 0;
    fakes.issue->finished(fakes.issue, fakes.issue->arg);
    assert_string_equal(code(), "stopping");
    assert_int_equal(fakes.undelivered, 0);
}

static void fail_issue(bool recorded)
{
    ask_issue(false, 0);
    fakes.issue->job.rc = KMS_EAWSDENIED;
    fakes.issue->recorded = recorded;
    fakes.issue->lease.owner = fakes.issue_params.owner;
    err_set(&fakes.issue->err, KMS_EAWSDENIED, "AssumeRole: not authorized");
    strcpy(fakes.issue->err.aws_action, "AssumeRole");
    strcpy(fakes.issue->err.aws_request_id, "r-1");
    fakes.job_count = 0;
    fakes.issue->finished(fakes.issue, fakes.issue->arg);
}

/* What failed is in the audit log, once, and no uid can fill it. */
static void test_failures_are_recorded(void **state)
{
    const struct audit *line = &fakes.audits[0];

    (void)state;
    world.group = 2000;
    fail_issue(true); /* in the lease's own transaction */
    assert_int_equal(fakes.audit_count, 0);
    fail_issue(false);
    assert_int_equal(fakes.audit_count, 1);
    assert_int_equal(line->event, AUDIT_FAILED);
    assert_int_equal(line->error, KMS_EAWSDENIED);
    assert_int_equal(line->owner.uid, 1000);
    assert_int_equal(line->owner.groups.count, 1);
    assert_int_equal(line->owner.groups.ids[0], 2000);
    assert_string_equal(line->secret, "deploy");
    assert_string_equal(line->detail, "AssumeRole: not authorized");
    assert_string_equal(line->aws_action, "AssumeRole");
    assert_string_equal(line->aws_request_id, "r-1");
    for (int i = 0; i < 3 * FAILURES_PER_MINUTE; i++)
        fail_issue(false);
    assert_int_equal(fakes.audit_count, FAILURES_PER_MINUTE - 1); /* the first was counted too */
    world.group = 0;
    call(1003, "lease.issue", "secret", "deploy"); /* denials have their own measure */
    assert_int_equal(fakes.audit_count, FAILURES_PER_MINUTE);
}

static void test_mint_rate(void **state)
{
    (void)state;
    fake_config.agent.mint_rate_per_uid = 0.5;
    for (int i = 0; i < 5; i++) {
        ask_issue(false, 0);
        finish_issue(CREDENTIAL_IAM_USER, false);
        assert_string_equal(code(), "");
    }
    ask_issue(false, 0);
    assert_string_equal(code(), "limit_reached");
    assert_int_equal(fakes.job_count, 0);
    assert_int_equal(fakes.audit_count, 1);
    assert_int_equal(fakes.audits[0].event, AUDIT_FAILED);
    fake_secrets[0].recipe.type = CREDENTIAL_SESSION; /* not counted */
    ask_issue(false, 0);
    assert_int_equal(fakes.job_count, 1);
    finish_issue(CREDENTIAL_SESSION, false);
}

/* ---- lease.renew ---- */

static void test_renew(void **state)
{
    const char *id = add_lease(1000, "user:app", LEASE_ACTIVE);

    (void)state;
    call(1000, "lease.renew", "lease_id", id);
    assert_string_equal(fakes.renew->actor.rule, "user:app");
    strcpy(fakes.renew->lease.clamp_reason, "at the maximum");
    fakes.job_count = 0;
    fakes.renew->finished(fakes.renew, fakes.renew->arg);
    assert_string_equal(result("lease_id"), id);
    assert_string_equal(result("clamp_reason"), "at the maximum");
    assert_false(has("secret_access_key"));
}

static void test_renewal_fails(void **state)
{
    const char *id = add_lease(1000, "user:app", LEASE_ACTIVE);

    (void)state;
    call(1000, "lease.renew", "lease_id", id);
    fakes.renew->job.rc = KMS_ETTL;
    err_set(&fakes.renew->err, KMS_ETTL, "a TTL of 2d is above the secret's max_ttl of 1d");
    fakes.job_count = 0;
    fakes.renew->finished(fakes.renew, fakes.renew->arg);
    assert_string_equal(code(), "invalid_ttl");
    assert_int_equal(fakes.audit_count, 1);
    assert_int_equal(fakes.audits[0].event, AUDIT_FAILED);
    assert_true(uuid_equal(&fakes.audits[0].lease_id, &fakes.leases[0].id));
    assert_string_equal(fakes.audits[0].secret, "deploy");
    assert_int_equal(fakes.audits[0].owner.uid, 1000);
}

/* ---- lists ---- */

static void test_lease_list_own(void **state)
{
    (void)state;
    add_lease(1000, "user:app", LEASE_ACTIVE);
    add_lease(1001, "user:other", LEASE_ACTIVE);
    add_lease(1000, "user:app", LEASE_REVOKED);
    add_lease(1000, "unit:web.service", LEASE_ACTIVE); /* another unit's */
    add_lease(1000, "user:app", LEASE_REVOKING);
    call(1000, "lease.list", NULL, NULL);
    fake_run_jobs();
    assert_int_equal(rows("leases"), 2);
    assert_false(has("cursor"));
    call(1000, "lease.list", "state", "any");
    fake_run_jobs();
    assert_int_equal(rows("leases"), 3);
    call(1000, "lease.list", "state", "revoked");
    fake_run_jobs();
    assert_int_equal(rows("leases"), 1);
    call(1000, "lease.list", "secret", "hidden");
    fake_run_jobs();
    assert_int_equal(rows("leases"), 0);
    mp_put_str(ask("lease.list", 1, 1), "all");
    mp_put_bool(&request, true);
    send_as(0);
    fake_run_jobs();
    assert_int_equal(rows("leases"), 4);
    call(0, "lease.list", NULL, NULL); /* without all an admin sees its own */
    fake_run_jobs();
    assert_int_equal(rows("leases"), 0);
}

static void test_lease_list_bad_cursor(void **state)
{
    (void)state;
    call(1000, "lease.list", "cursor", "nonsense");
    fake_run_jobs();
    assert_string_equal(code(), "invalid_request");
    call(1000, "audit.list", "cursor", "-5");
    fake_run_jobs();
    assert_string_equal(code(), "invalid_request");
}

/* Pages: each lease once, none missing, and none longer than what is allowed. */
static unsigned walk(uint32_t limit, unsigned *ret_pages)
{
    char cursor[64] = "";
    unsigned count = 0;

    *ret_pages = 0;
    do {
        struct mp_writer *w = ask("lease.list", 1, cursor[0] != '\0' ? 2 : 1);

        mp_put_str(w, "limit");
        mp_put_uint(w, limit);
        if (cursor[0] != '\0') {
            mp_put_str(w, "cursor");
            mp_put_str(w, cursor);
        }
        send_as(1000);
        fake_run_jobs();
        assert_string_equal(code(), "");
        assert_true(rows("leases") <= limit);
        assert_true(world.answer_len < ANSWER_PAGE_BYTES + 8192);
        count += rows("leases");
        (*ret_pages)++;
        snprintf(cursor, sizeof cursor, "%s", result("cursor"));
    } while (cursor[0] != '\0' && *ret_pages < 1000);
    return count;
}

static void test_lease_list_pages(void **state)
{
    unsigned pages;

    (void)state;
    for (int i = 0; i < 300; i++) {
        add_lease(1000, "user:app", LEASE_ACTIVE);
        memset(fakes.leases[i].arn, 'a', 2000);
    }
    assert_int_equal(walk(7, &pages), 300);
    assert_in_range(pages, 43, 44);
    assert_int_equal(walk(256, &pages), 300); /* the size ends the page */
    assert_true(pages > 4);
}

static void test_secret_list(void **state)
{
    (void)state;
    call(1000, "secret.list", NULL, NULL);
    fake_run_jobs();
    assert_int_equal(rows("secrets"), 1);
    call(1003, "secret.list", NULL, NULL);
    fake_run_jobs();
    assert_int_equal(rows("secrets"), 0);
    call(0, "secret.list", NULL, NULL);
    fake_run_jobs();
    assert_int_equal(rows("secrets"), 0);
    mp_put_str(ask("secret.list", 1, 1), "all");
    mp_put_bool(&request, true);
    send_as(0);
    fake_run_jobs();
    assert_int_equal(rows("secrets"), 2);
    call(0, "secret.get", "secret", "hidden");
    fake_run_jobs();
    assert_string_equal(result("name"), "hidden");
    assert_int_equal(number("live_leases"), 42);
    call(1000, "secret.get", "secret", "deploy");
    fake_run_jobs();
    assert_string_equal(result("path"), "/kms/");
    assert_int_equal(number("max_ttl_s"), 86400);
}

static void test_audit_list(void **state)
{
    struct err err = {0};
    unsigned own = 0;
    char cursor[32] = "";

    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        const struct audit audit = {.event = AUDIT_ISSUED,
                                    .time_ms = 1000 + i,
                                    .owner = {.uid = 1000 + i % 2},
                                    .secret = "deploy"};

        assert_int_equal(store_audit(NULL, &audit, &err), 0);
    }
    do {
        call(1000, "audit.list", cursor[0] != '\0' ? "cursor" : NULL, cursor);
        fake_run_jobs();
        own += rows("lines");
        snprintf(cursor, sizeof cursor, "%s", result("cursor"));
    } while (cursor[0] != '\0');
    assert_int_equal(own, 100);
    call(0, "audit.list", "since", "1970-01-01T00:00:01.150Z");
    fake_run_jobs();
    assert_int_equal(rows("lines"), 50);
    assert_false(has("cursor"));
    call(0, "audit.list", "lease_id", "01ffffff-ffff-ffff-ffff-ffffffffffff");
    fake_run_jobs();
    assert_int_equal(rows("lines"), 0);
}

/* A peer may be in more groups than a line keeps; then the line says so. */
static void test_audit_groups(void **state)
{
    static const uint32_t counts[] = {0, 2, LEASE_GROUPS_MAX, LEASE_GROUPS_MAX + 8};
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct audit audit = {.event = AUDIT_ISSUED, .owner.groups.count = counts[i]};
        struct mp_cursor line, gids, more;
        uint32_t n;
        int64_t first = 0, left = 0;

        audit.owner.groups.ids[0] = 4711;
        assert_int_equal(store_audit(NULL, &audit, &err), 0);
        call(0, "audit.list", NULL, NULL);
        fake_run_jobs();
        assert_true(find_in(part_of_answer(3), "lines", &line));
        assert_int_equal(mp_get_array(&line, &n), 0);
        assert_int_equal(find_in(line, "gids", &gids), counts[i] > 0);
        if (counts[i] == 0)
            continue;
        assert_int_equal(mp_get_array(&gids, &n), 0);
        assert_int_equal(n, counts[i] < LEASE_GROUPS_MAX ? counts[i] : LEASE_GROUPS_MAX);
        assert_int_equal(mp_get_int(&gids, &first), 0);
        assert_int_equal(first, 4711);
        if (find_in(line, "gids_more", &more))
            assert_int_equal(mp_get_int(&more, &left), 0);
        assert_int_equal(left, counts[i] - n);
    }
}

static void test_list_client_gone(void **state)
{
    (void)state;
    call(1000, "lease.list", NULL, NULL);
    service_gone(world.service, conn);
    assert_true(atomic_load(&fakes.jobs[0]->canceled));
    fake_run_jobs();
    assert_int_equal(world.answers, 0);
}

/* ---- lease.revoke of all ---- */

static void ask_revoke_all(uint32_t uid)
{
    struct mp_writer *w = ask("lease.revoke", 1, 2);

    mp_put_str(w, "secret");
    mp_put_str(w, "deploy");
    mp_put_str(w, "all");
    mp_put_bool(w, true);
    send_as(uid);
    fake_run_jobs();
}

static void test_revoke_all(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        add_lease(i % 10 == 0 ? 1001 : 1000, "user:app", LEASE_ACTIVE);
    add_lease(1000, "user:app", LEASE_REVOKED);
    add_lease(1000, "unit:web.service", LEASE_ACTIVE); /* another unit's: only the admin's */
    ask_revoke_all(1000);
    assert_int_equal(fakes.job_count, 16); /* not all at once */
    service_gone(world.service, (struct conn_ref){.slot = 1, .generation = 1});
    fake_finish_revokes();
    assert_int_equal(number("revoked"), 256);
    assert_int_equal(rows("leases"), 256);
    assert_int_equal(number("more"), true);
    ask_revoke_all(1000);
    fake_finish_revokes();
    assert_int_equal(number("revoked"), 14);
    assert_int_equal(number("more"), false);
    for (size_t i = 0; i < fakes.revokes; i++)
        assert_int_equal(fakes.revoke_reasons[i], REVOKE_CLIENT);
    ask_revoke_all(0);
    fake_finish_revokes();
    assert_int_equal(number("revoked"), 31);
    assert_int_equal(fakes.revoke_reasons[fakes.revokes - 1], REVOKE_ADMIN);
    ask_revoke_all(1003);
    assert_int_equal(number("revoked"), 0);
    assert_int_equal(number("more"), false);
}

/* It goes on when the client has gone. */
static void test_revoke_all_client_gone(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++)
        add_lease(1000, "user:app", LEASE_ACTIVE);
    ask_revoke_all(1000);
    service_gone(world.service, conn);
    fake_finish_revokes();
    assert_int_equal(fakes.revokes, 40);
    assert_int_equal(world.answers, 0);
}

static void test_revoke_ended(void **state)
{
    const char *id = add_lease(1000, "user:app", LEASE_REVOKED);

    (void)state;
    fakes.leases[0].recipe.type = CREDENTIAL_SESSION;
    fakes.leases[0].credential_expires_ms = 2000;
    call(1000, "lease.revoke", "lease_id", id);
    assert_string_equal(result("state"), "revoked");
    assert_string_equal(result("ends_at"), "1970-01-01T00:00:02Z");
    assert_int_equal(fakes.job_count, 0);
}

/* ---- agent.reload ---- */

static int reload_rc;
static unsigned reloads;

static void on_reloaded(int rc, const struct err *err, void *arg)
{
    (void)err;
    (void)arg;
    reload_rc = rc;
    reloads++;
}

static void test_reload(void **state)
{
    (void)state;
    service_set_identity(world.service, "dropped", "arn", "1", true, NULL);
    call(0, "agent.reload", NULL, NULL);
    service_reload(world.service, on_reloaded, NULL);
    assert_int_equal(fakes.job_count, 1); /* one after the other */
    reloads = 0;
    fake_run_jobs();
    assert_int_equal(fakes.loads, 2);
    assert_int_equal(reloads, 1);
    assert_int_equal(reload_rc, 0);
    assert_int_equal(world.changed, 2);
    assert_int_equal(number("secrets"), 2);
    assert_int_equal(rows("warnings"), 0);
    assert_int_equal(fakes.audits[0].event, AUDIT_RELOADED);
    call(0, "agent.status", NULL, NULL);
    assert_int_equal(rows("management"), 0);
}

static void test_bad_reload(void **state)
{
    (void)state;
    fakes.load_rc = KMS_ECONFIG;
    call(0, "agent.reload", NULL, NULL);
    fake_run_jobs();
    assert_string_equal(code(), "config_invalid");
    assert_string_equal(message(), "agent.conf:3: unknown option \"sockt\"");
    assert_int_equal(world.changed, 0);
    service_reload(world.service, on_reloaded, NULL);
    fake_run_jobs();
    assert_int_equal(reload_rc, KMS_ECONFIG);
    ask_issue(false, 0); /* the old one holds */
    assert_int_equal(fakes.job_count, 1);
    finish_issue(CREDENTIAL_IAM_USER, false);
}

static void test_many_reloads(void **state)
{
    (void)state;
    reloads = 0;
    for (int i = 0; i < 20; i++)
        service_reload(world.service, on_reloaded, NULL);
    assert_int_equal(reloads, 12); /* refused at once */
    assert_int_equal(reload_rc, KMS_EBUSY);
    fake_run_jobs();
    assert_int_equal(reloads, 20);
    assert_int_equal(fakes.loads, 8);
}

static void test_status_line(void **state)
{
    char line[128];

    (void)state;
    service_status_line(world.service, line, sizeof line);
    assert_string_equal(line, "2 secrets, 12 live leases, 3 being revoked, 1 stuck");
}

static int set_up(void **state)
{
    struct err err = {0};

    (void)state;
    log_set_level((enum log_level)0); /* refused reloads are logged as errors */
    return secret_heap_init(&err);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_issue_iam_user),
        T(test_issue_session),
        T(test_issue_wrong_region),
        T(test_issue_bound),
        T(test_issue_bind_fails),
        T(test_issue_bound_at_the_limit),
        T(test_issue_bound_without_pidfd),
        T(test_issue_not_written),
        T(test_issue_client_gone),
        T(test_issue_fails),
        T(test_failures_are_recorded),
        T(test_renewal_fails),
        T(test_audit_groups),
        T(test_mint_rate),
        T(test_renew),
        T(test_lease_list_own),
        T(test_lease_list_bad_cursor),
        T(test_lease_list_pages),
        T(test_secret_list),
        T(test_audit_list),
        T(test_list_client_gone),
        T(test_revoke_all),
        T(test_revoke_all_client_gone),
        T(test_revoke_ended),
        T(test_reload),
        T(test_bad_reload),
        T(test_many_reloads),
        T(test_status_line),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
