/* SPDX-License-Identifier: Apache-2.0 */
/* Shared sessions on fakes: one mint for many, who shares with whom, when a session is handed out,
 * refreshed, kept in need and forgotten. The clock is the test's. */
#include "service_world.h"

#include "base/clock.h"
#include "common/log.h"
#include "service/shared_private.h"

#define MINUTE INT64_C(60000)
#define START_MS INT64_C(1800000000000)

static int64_t now_ms;
static unsigned warnings, minted;

static int64_t the_time(void *arg)
{
    (void)arg;
    return now_ms;
}

static void count_warnings(enum log_level level, const char *text, const char *message_id,
                           const struct log_field *fields, size_t count, void *arg)
{
    (void)text;
    (void)message_id;
    (void)fields;
    (void)count;
    (void)arg;
    warnings += level <= LOG_LEVEL_WARNING;
}

static int open_shared(void **state)
{
    struct secret_config *secret = &fake_secrets[0];

    now_ms = START_MS;
    warnings = minted = 0;
    if (open_world(state) != 0)
        return -1;
    secret->share = SHARE_UID;
    secret->recipe.type = CREDENTIAL_SESSION;
    secret->recipe.default_ttl_s = 3600;
    secret->recipe.max_ttl_s = 43200;
    strcpy(secret->digest, "d1");
    return 0;
}

static int close_shared(void **state)
{
    assert_int_equal(fakes.job_count, 0);
    return close_world(state);
}

/* ---- requests and mints ---- */

static void ask_shared(uint32_t uid, int64_t ttl_s)
{
    struct mp_writer *w = ask("lease.issue", 8, 2u + (ttl_s != 0));

    mp_put_str(w, "secret");
    mp_put_str(w, "deploy");
    mp_put_str(w, "bind");
    mp_put_bool(w, true);
    if (ttl_s != 0) {
        mp_put_str(w, "ttl_s");
        mp_put_int(w, ttl_s);
    }
    send_as(uid);
}

/* The job of issue or renew leaves the queue. */
static void take_job(const struct job *job)
{
    size_t before = fakes.job_count;

    fake_take_job(job);
    assert_int_equal(fakes.job_count, before - 1);
}

static void fill_credential(struct aws_credential *credential, size_t token_len)
{
    char token[65536];

    assert_true(token_len <= sizeof token);
    memset(token, 't', sizeof token);
    snprintf(credential->access_key_id, sizeof credential->access_key_id, "ASIA%u", ++minted);
    assert_int_equal(secret_set(&credential->secret_access_key, "s3cr3t", 6), 0);
    assert_int_equal(secret_set(&credential->session_token, token, token_len), 0);
}

/* An issue ends well: a session of ttl_s. */
static const struct lease *grant(struct issue *issue, int64_t ttl_s, size_t token_len)
{
    struct lease *lease = &fakes.leases[fakes.lease_count++ % FAKE_MAX];

    take_job(&issue->job);
    fill_credential(&issue->credential, token_len);
    *lease = (struct lease){.state = LEASE_ACTIVE,
                            .id = {.bytes = {1, (uint8_t)(minted >> 8), (uint8_t)minted}},
                            .shared = fakes.issue_params.shared,
                            .ready = true,
                            .secret = "deploy",
                            .owner = fakes.issue_params.owner,
                            .recipe = fake_secrets[0].recipe,
                            .requested_ttl_s = ttl_s,
                            .granted_ttl_s = ttl_s,
                            .created_ms = now_ms,
                            .expires_ms = now_ms + ttl_s * 1000,
                            .credential_expires_ms = now_ms + ttl_s * 1000,
                            .last_end_ms = now_ms + 43200 * 1000};
    strcpy(lease->access_key_id, issue->credential.access_key_id);
    issue->lease = *lease;
    issue->finished(issue, issue->arg);
    return lease;
}

static void end_issue(struct issue *issue, int rc)
{
    take_job(&issue->job);
    issue->job.rc = rc;
    err_set(&issue->err, rc, "AWS says no");
    issue->finished(issue, issue->arg);
}

static void end_renewal(struct renew *renew, int rc)
{
    take_job(&renew->job);
    renew->job.rc = rc;
    if (rc == 0) {
        fill_credential(&renew->credential, 100);
        renew->lease.expires_ms = now_ms + renew->ttl_s * 1000;
        strcpy(renew->lease.access_key_id, renew->credential.access_key_id);
        *fake_lease(&renew->lease.id) = renew->lease;
    } else {
        err_set(&renew->err, rc, "AWS is away");
    }
    renew->finished(renew, renew->arg);
}

/* uid 1000 holds a session of an hour, key ASIA1, handed out once. */
static const struct lease *hold(void)
{
    ask_shared(1000, 0);
    return grant(fakes.issue, 3600, 100);
}

/* The request is answered at once, from memory, with this key; nothing is minted for it. */
static void assert_handed_out(const char *key)
{
    size_t jobs = fakes.job_count;
    unsigned answers = world.answers;

    ask_shared(1000, 0);
    assert_int_equal(world.answers, answers + 1);
    assert_string_equal(code(), "");
    assert_string_equal(result("access_key_id"), key);
    assert_true(fakes.job_count <= jobs + 1); /* at most a refresh */
}

static void assert_waits(void)
{
    unsigned answers = world.answers;

    ask_shared(1000, 0);
    assert_int_equal(world.answers, answers);
}

/* ---- one mint ---- */

static void test_one_mint_for_all(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        ask_shared(1000, 0);
    assert_int_equal(fakes.job_count, 1);
    assert_int_equal(world.answers, 0);
    assert_true(fakes.issue_params.shared);
    assert_false(fakes.issue_params.bind);
    assert_int_equal(fakes.issue_params.ttl_s, 0);
    assert_int_equal(fakes.issue->job.lane, LANE_SESSION);
    grant(fakes.issue, 3600, 100);
    assert_int_equal(world.answers, 10);
    assert_int_equal(number("shared"), true);
    assert_int_equal(number("bound"), false);
    assert_false(has("username"));
    assert_int_equal(answered_msgid(), 8);
    assert_string_equal(result("secret_access_key"), "s3cr3t");
    assert_int_equal(fakes.delivered, 1);
    assert_handed_out("ASIA1");
    assert_int_equal(fakes.delivered, 1); /* the store hears of the first answer only */
    assert_int_equal(fakes.job_count, 0);
}

static void test_region_is_the_requests(void **state)
{
    struct mp_writer *w;

    (void)state;
    hold();
    w = ask("lease.issue", 1, 2);
    mp_put_str(w, "secret");
    mp_put_str(w, "deploy");
    mp_put_str(w, "region");
    mp_put_str(w, "us-east-1");
    send_as(1000);
    assert_string_equal(result("region"), "us-east-1");
    assert_string_equal(result("access_key_id"), "ASIA1");
    assert_handed_out("ASIA1");
    assert_string_equal(result("region"), "eu-west-1");
}

static void test_mint_fails_for_all(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        ask_shared(1000, 0);
    end_issue(fakes.issue, KMS_EAWSDOWN);
    assert_int_equal(world.answers, 3);
    assert_string_equal(code(), err_name(KMS_EAWSDOWN));
    assert_string_equal(message(), "AWS says no");
    ask_shared(1000, 0); /* tries again at once */
    assert_int_equal(fakes.job_count, 1);
    grant(fakes.issue, 3600, 100);
    assert_string_equal(code(), "");
}

static void test_cannot_start(void **state)
{
    (void)state;
    fakes.submit_rc = KMS_EBUSY;
    ask_shared(1000, 0);
    assert_string_equal(code(), "busy");
    fakes.submit_rc = 0;
    hold();
    assert_string_equal(code(), "");
}

/* The one who asked is gone: the mint goes on, and the next one gets it. */
static void test_client_gone(void **state)
{
    (void)state;
    ask_shared(1000, 0);
    service_gone(world.service, conn);
    grant(fakes.issue, 3600, 100);
    assert_int_equal(world.answers, 0);
    assert_int_equal(fakes.delivered, 0);
    assert_handed_out("ASIA1");
    assert_int_equal(fakes.delivered, 1);
}

static void test_nobody_takes_it(void **state)
{
    (void)state;
    ask_shared(1000, 0);
    service_gone(world.service, conn);
    grant(fakes.issue, 3600, 100);
    now_ms += MINUTE + 1;
    service_tick(world.service);
    assert_int_equal(fakes.undelivered, 1);
    hold();
    assert_string_equal(result("access_key_id"), "ASIA2");
}

static bool silent_reply(void *front, struct conn_ref ref, const uint8_t *bytes, size_t len,
                         void (*written)(bool ok, void *arg), void *arg)
{
    (void)front;
    (void)ref;
    memcpy(world.answer, bytes, len);
    world.answer_len = len;
    world.answers++;
    if (written != NULL)
        written(true, arg);
    return true;
}

/* Bounded: who is gone makes room, who is not gets "busy" beyond the bound. */
static void test_many_wait(void **state)
{
    const struct service_port port = {.reply = silent_reply};
    struct peer peer = {.uid = 1000, .pid = 1, .pidfd = -1};

    (void)state;
    service_set_port(world.service, &port);
    mp_put_str(ask("lease.issue", 1, 1), "secret");
    mp_put_str(&request, "deploy");
    for (uint32_t i = 0; i < SHARED_WAITERS_MAX + 10; i++) {
        service_handle(world.service, (struct conn_ref){.slot = 1}, &peer, request_bytes,
                       request.len);
        service_gone(world.service, (struct conn_ref){.slot = 1});
    }
    assert_int_equal(world.answers, 0);
    for (uint32_t i = 0; i < SHARED_WAITERS_MAX; i++)
        service_handle(world.service, (struct conn_ref){.slot = i}, &peer, request_bytes,
                       request.len);
    assert_int_equal(world.answers, 0);
    service_handle(world.service, conn, &peer, request_bytes, request.len);
    assert_int_equal(world.answers, 1);
    assert_string_equal(code(), "busy");
    grant(fakes.issue, 3600, 100);
    assert_int_equal(world.answers, 1 + SHARED_WAITERS_MAX);
    assert_int_equal(minted, 1);
}

/* ---- who shares with whom ---- */

static void test_another_uid(void **state)
{
    (void)state;
    hold();
    world.group = 2000;
    ask_shared(1001, 0);
    assert_int_equal(fakes.job_count, 1);
    grant(fakes.issue, 3600, 100);
    assert_string_equal(result("access_key_id"), "ASIA2");
    world.group = 0;
    assert_handed_out("ASIA1");
}

static void test_another_unit(void **state)
{
    struct rule another = {.kind = RULE_UNIT, .text = "unit:db.service"}, kept = fake_rules[3];

    (void)state;
    fake_rules[3] = another;
    world.unit = "web.service";
    ask_shared(1002, 0);
    grant(fakes.issue, 3600, 100);
    world.unit = "db.service";
    ask_shared(1002, 0);
    assert_int_equal(fakes.job_count, 1);
    grant(fakes.issue, 3600, 100);
    assert_string_equal(result("access_key_id"), "ASIA2");
    world.unit = "web.service";
    ask_shared(1002, 0);
    assert_string_equal(result("access_key_id"), "ASIA1");
    fake_rules[3] = kept;
}

static void test_another_recipe(void **state)
{
    struct shared_key key = {.secret = "deploy", .uid = 1000, .unit = "", .digest = "d1"};

    (void)state;
    hold();
    assert_non_null(shared_find(world.service->shared, &key));
    key.digest = "d2";
    assert_null(shared_find(world.service->shared, &key));
}

static void test_authorized_anew(void **state)
{
    (void)state;
    hold();
    fake_secrets[0].allow.count = 0;
    ask_shared(1000, 0);
    assert_string_equal(code(), "not_allowed");
    world.unit = NULL;
}

static void test_another_ttl(void **state)
{
    (void)state;
    hold();
    ask_shared(1000, 3600); /* the default, said aloud */
    assert_string_equal(result("access_key_id"), "ASIA1");
    ask_shared(1000, 1800);
    assert_int_equal(fakes.job_count, 1);
    assert_false(fakes.issue_params.shared);
    assert_true(fakes.issue_params.bind);
    grant(fakes.issue, 1800, 100);
    assert_int_equal(number("shared"), false);
    assert_handed_out("ASIA1");
}

static void test_not_shared(void **state)
{
    (void)state;
    fake_secrets[0].share = SHARE_NONE;
    ask_shared(1000, 0);
    assert_false(fakes.issue_params.shared);
    grant(fakes.issue, 3600, 100);
    ask_shared(1000, 0);
    assert_int_equal(fakes.job_count, 1);
    grant(fakes.issue, 3600, 100);
}

/* ---- the border ---- */

static void test_border(void **state)
{
    (void)state;
    hold();
    fake_secrets[0].recipe.max_ttl_s = 3600; /* a renewal would gain nothing */
    now_ms += 40 * MINUTE - 1;
    assert_handed_out("ASIA1");
    end_issue(fakes.issue, KMS_ECANCELED);
}

static void test_border_passed(void **state)
{
    (void)state;
    hold();
    now_ms += 40 * MINUTE;
    assert_waits();
    assert_int_equal(fakes.job_count, 1);
    end_renewal(fakes.renew, 0);
    assert_string_equal(result("access_key_id"), "ASIA2");
}

static void test_half_life(void **state)
{
    (void)state;
    fake_secrets[0].recipe.default_ttl_s = 900;
    ask_shared(1000, 0);
    grant(fakes.issue, 900, 100);
    now_ms += 900 * 500 - 1;
    assert_handed_out("ASIA1");
    end_renewal(fakes.renew, KMS_ECANCELED);
    now_ms += 1;
    fakes.issue = NULL;
    service_tick(world.service);
    assert_waits();
    end_renewal(fakes.renew, 0);
    assert_string_equal(result("access_key_id"), "ASIA2");
}

/* ---- refreshed ahead ---- */

static void test_refreshed_by_a_request(void **state)
{
    char before[64];

    (void)state;
    hold();
    snprintf(before, sizeof before, "%s", result("lease_id"));
    now_ms += 30 * MINUTE - 1;
    assert_handed_out("ASIA1");
    assert_int_equal(fakes.job_count, 0); /* not before that */
    now_ms += 5 * MINUTE + 1;
    assert_handed_out("ASIA1"); /* at once: nobody waits for a refresh */
    assert_int_equal(fakes.job_count, 1);
    assert_true(fakes.renew->job.internal);
    assert_int_equal(fakes.renew->job.lane, LANE_BACKGROUND);
    assert_int_equal(fakes.renew->ttl_s, 3600);
    assert_handed_out("ASIA1");
    assert_int_equal(fakes.job_count, 1);
    end_renewal(fakes.renew, 0);
    assert_handed_out("ASIA2");
    assert_string_equal(result("lease_id"), before);
    assert_string_equal(result("expires_at"), "2027-01-15T09:35:00Z");
}

static void test_refreshed_by_time(void **state)
{
    (void)state;
    hold();
    now_ms += 35 * MINUTE;
    service_tick(world.service);
    assert_int_equal(fakes.job_count, 1);
    end_renewal(fakes.renew, 0);
    now_ms += 35 * MINUTE;
    service_tick(world.service); /* nobody asked since: it may end */
    assert_int_equal(fakes.job_count, 0);
    assert_handed_out("ASIA2");
    assert_int_equal(fakes.job_count, 1);
    end_renewal(fakes.renew, 0);
}

/* max_ttl is used up: a lease of its own. */
static void test_refreshed_by_a_new_lease(void **state)
{
    const struct lease *lease;
    char before[UUID_TEXT_SIZE];

    (void)state;
    fake_secrets[0].recipe.max_ttl_s = 3600;
    lease = hold();
    uuid_format(&lease->id, before);
    now_ms += 35 * MINUTE;
    service_tick(world.service);
    assert_true(fakes.issue_params.shared);
    assert_int_equal(fakes.issue_params.owner.uid, 1000);
    assert_string_equal(fakes.issue_params.owner.rule, "user:app");
    grant(fakes.issue, 3600, 100);
    assert_int_equal(fakes.delivered, 1);
    assert_handed_out("ASIA2");
    assert_string_not_equal(result("lease_id"), before);
    assert_int_equal(fakes.delivered, 2);
}

static void test_renewal_refused(void **state)
{
    static const int codes[] = {KMS_EENDED, KMS_ENORENEW, KMS_ENOLEASE};

    (void)state;
    hold();
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        now_ms += 45 * MINUTE;
        assert_waits();
        end_renewal(fakes.renew, codes[i]);
        assert_int_equal(fakes.job_count, 1);
        grant(fakes.issue, 3600, 100);
        assert_string_equal(code(), "");
    }
    assert_int_equal(minted, 4);
}

/* ---- AWS is down ---- */

static size_t failed_lines(void)
{
    size_t count = 0;

    for (size_t i = 0; i < fakes.audit_count; i++)
        count += fakes.audits[i].event == AUDIT_FAILED;
    return count;
}

/* Nobody gets anything: each mint that fails has a line. */
static void test_failures_are_recorded(void **state)
{
    (void)state;
    for (size_t i = 1; i <= 3; i++) {
        assert_waits();
        assert_waits();
        end_issue(fakes.issue, KMS_EAWSDENIED);
        assert_string_equal(code(), "aws_denied");
        assert_int_equal(failed_lines(), i);
    }
    assert_int_equal(fakes.audits[0].owner.uid, 1000);
    assert_string_equal(fakes.audits[0].secret, "deploy");
    assert_string_equal(fakes.audits[0].detail, "AWS says no");
}

static void test_last_good_one(void **state)
{
    int64_t before;

    (void)state;
    hold();
    now_ms += 35 * MINUTE;
    service_tick(world.service);
    end_renewal(fakes.renew, KMS_EAWSDOWN);
    assert_int_equal(warnings, 1);
    now_ms += 10 * MINUTE; /* 15 minutes left: below the border */
    for (int i = 0; i < 3; i++) {
        assert_handed_out("ASIA1");
        assert_int_equal(fakes.job_count, 1);
        end_renewal(fakes.renew, KMS_EAWSDOWN);
        assert_handed_out("ASIA1");
        assert_int_equal(fakes.job_count, 0); /* not at once again */
        before = now_ms;
        while (fakes.job_count == 0) {
            now_ms += 100;
            service_tick(world.service);
        }
        assert_in_range(now_ms - before, 100, 60100);
        end_renewal(fakes.renew, KMS_EAWSDOWN);
        now_ms += MINUTE;
    }
    assert_int_equal(warnings, 1); /* one line for all that */
    assert_int_equal(failed_lines(), 1);
    assert_handed_out("ASIA1");
    end_renewal(fakes.renew, 0);
    assert_handed_out("ASIA2");
}

static void test_waiters_get_the_last_good_one(void **state)
{
    (void)state;
    hold();
    now_ms += 50 * MINUTE;
    assert_waits();
    assert_waits();
    end_renewal(fakes.renew, KMS_EAWSDOWN);
    assert_int_equal(world.answers, 3);
    assert_string_equal(result("access_key_id"), "ASIA1");
    assert_string_equal(result("expires_at"), "2027-01-15T09:00:00Z");
}

static void test_down_beyond_the_end(void **state)
{
    (void)state;
    hold();
    now_ms += 50 * MINUTE;
    assert_waits();
    end_renewal(fakes.renew, KMS_EAWSDOWN);
    now_ms += 10 * MINUTE - 1001;
    assert_handed_out("ASIA1");
    end_issue(fakes.issue, KMS_EAWSDOWN); /* too late to renew */
    now_ms += 1001;
    assert_waits();
    end_issue(fakes.issue, KMS_EAWSDOWN);
    assert_string_equal(code(), err_name(KMS_EAWSDOWN));
    assert_waits(); /* tried anew by each */
    end_issue(fakes.issue, KMS_EAWSDOWN);
}

/* ---- revoked, renewed, reloaded ---- */

static void ask_revoke(const struct lease *lease)
{
    char text[UUID_TEXT_SIZE];

    uuid_format(&lease->id, text);
    call(1000, "lease.revoke", "lease_id", text);
}

static void test_revoked(void **state)
{
    const struct lease *lease;

    (void)state;
    lease = hold();
    ask_revoke(lease);
    assert_waits(); /* while AWS, or the store, still works on it */
    assert_int_equal(fakes.job_count, 2);
    grant(fakes.issue, 3600, 100);
    assert_string_equal(result("access_key_id"), "ASIA2");
    fake_finish_revokes();
}

static void test_revoked_by_all(void **state)
{
    struct mp_writer *w;

    (void)state;
    hold();
    w = ask("lease.revoke", 1, 2);
    mp_put_str(w, "secret");
    mp_put_str(w, "deploy");
    mp_put_str(w, "all");
    mp_put_bool(w, true);
    send_as(0);
    fake_run_jobs();
    fake_finish_revokes();
    assert_int_equal(number("revoked"), 1);
    assert_waits();
    grant(fakes.issue, 3600, 100);
    assert_string_equal(result("access_key_id"), "ASIA2");
}

/* What comes of a renewal that was under way goes to nobody. */
static void test_revoked_while_renewed(void **state)
{
    const struct lease *lease;
    struct renew *renewal;
    unsigned answers;

    (void)state;
    lease = hold();
    now_ms += 45 * MINUTE;
    assert_waits();
    renewal = fakes.renew;
    renewal->job.lease_id = lease->id;
    answers = world.answers;
    ask_revoke(lease);
    end_renewal(renewal, 0);
    assert_int_equal(world.answers, answers);
    grant(fakes.issue, 3600, 100);
    assert_string_equal(result("access_key_id"), "ASIA3");
    assert_handed_out("ASIA3");
    fake_finish_revokes();
}

static void renew_as_holder(const struct lease *lease, int64_t ttl_s)
{
    char text[UUID_TEXT_SIZE];
    struct mp_writer *w = ask("lease.renew", 1, 2);

    uuid_format(&lease->id, text);
    mp_put_str(w, "lease_id");
    mp_put_str(w, text);
    mp_put_str(w, "ttl_s");
    mp_put_int(w, ttl_s);
    send_as(1000);
    end_renewal(fakes.renew, 0);
}

static void test_renewed_by_a_holder(void **state)
{
    const struct lease *lease;

    (void)state;
    lease = hold();
    now_ms += 10 * MINUTE;
    renew_as_holder(lease, 3600);
    assert_handed_out("ASIA2");
    renew_as_holder(lease, 7200); /* its own wish: others keep to the default */
    assert_handed_out("ASIA2");
}

static void reload(void)
{
    service_reload(world.service, NULL, NULL);
    fake_run_jobs();
    if (fakes.survey != NULL) /* of management keys: not a matter of this test */
        fake_take_job(&fakes.survey->job);
}

static void test_recipe_changed(void **state)
{
    (void)state;
    hold();
    reload();
    assert_handed_out("ASIA1"); /* nothing changed for it */
    strcpy(fake_secrets[0].digest, "d2");
    reload();
    assert_int_equal(world.service->shared->count, 0); /* and not in memory any more */
    assert_waits();
    grant(fakes.issue, 3600, 100);
    assert_string_equal(result("access_key_id"), "ASIA2");
    fake_secrets[0].share = SHARE_NONE;
    reload();
    ask_shared(1000, 0);
    assert_false(fakes.issue_params.shared);
    grant(fakes.issue, 3600, 100);
}

/* Asked under the old recipe, answered by it, and not kept. */
static void test_recipe_changed_while_minted(void **state)
{
    struct issue *old;

    (void)state;
    ask_shared(1000, 0);
    old = fakes.issue;
    strcpy(fake_secrets[0].digest, "d2");
    reload();
    assert_waits();
    assert_int_equal(fakes.job_count, 2);
    grant(old, 3600, 100);
    assert_string_equal(result("access_key_id"), "ASIA1");
    assert_waits();
    grant(fakes.issue, 3600, 100);
    assert_string_equal(result("access_key_id"), "ASIA2");
}

/* After a reload somebody who still may must have asked. */
static void test_not_refreshed_for_nobody(void **state)
{
    (void)state;
    hold();
    reload();
    now_ms += 35 * MINUTE;
    service_tick(world.service);
    assert_int_equal(fakes.job_count, 0);
}

/* ---- bounds ---- */

static void test_least_used_gives_way(void **state)
{
    struct rule everybody = {.kind = RULE_GROUP, .id = 2000, .text = "group:ops"};

    (void)state;
    fake_rules[1] = everybody;
    world.group = 2000;
    for (uint32_t i = 0; i < SHARED_MAX; i++) {
        now_ms++;
        ask_shared(5000 + i, 0);
        grant(fakes.issue, 3600, 100);
    }
    now_ms++;
    ask_shared(5000, 0); /* the first is not the oldest any more */
    assert_string_equal(result("access_key_id"), "ASIA1");
    ask_shared(4000, 0);
    grant(fakes.issue, 3600, 100);
    ask_shared(5000, 0);
    assert_string_equal(result("access_key_id"), "ASIA1");
    ask_shared(5001, 0);
    assert_int_equal(fakes.job_count, 1);
    grant(fakes.issue, 3600, 100);
}

/* All sessions are being minted: one more is not kept. */
static void test_no_room(void **state)
{
    struct shared *shared = world.service->shared;
    static struct job busy;

    (void)state;
    for (uint32_t i = 0; i < SHARED_MAX; i++) {
        const struct shared_key key = {
            .secret = "deploy", .uid = 5000 + i, .unit = "", .digest = "d1"};

        shared_add(shared, &key)->job = &busy;
    }
    ask_shared(1000, 0);
    assert_false(fakes.issue_params.shared);
    assert_true(fakes.issue_params.bind);
    grant(fakes.issue, 3600, 100);
    assert_int_equal(number("shared"), false);
    for (size_t i = 0; i < SHARED_MAX; i++)
        shared->entries[i]->job = NULL;
}

static void test_locked_heap(void **state)
{
    const struct shared *shared = world.service->shared;

    (void)state;
    world.group = 2000;
    for (uint32_t i = 0; i < 40; i++) {
        now_ms++;
        ask_shared(5000 + i, 0);
        grant(fakes.issue, 3600, 60000); /* 64 KiB of the heap */
        assert_true(shared->heap_bytes <= SHARED_HEAP_MAX);
    }
    assert_int_equal(shared->count, 16);
    ask_shared(5039, 0);
    assert_string_equal(result("access_key_id"), "ASIA40");
}

/* ---- audit lines ---- */

static unsigned lines(void)
{
    unsigned count = 0;

    for (size_t i = 0; i < fakes.audit_count; i++)
        count += fakes.audits[i].event == AUDIT_SHARED;
    return count;
}

static void test_audit_lines(void **state)
{
    (void)state;
    hold();
    for (int i = 0; i < 7; i++)
        assert_handed_out("ASIA1");
    assert_int_equal(lines(), 0); /* not in the request's path */
    service_tick(world.service);
    assert_int_equal(lines(), 1);
    assert_non_null(strstr(fakes.audits[fakes.audit_count - 1].detail, "7 times"));
    assert_int_equal(fakes.audits[fakes.audit_count - 1].owner.uid, 1000);
    assert_int_equal(fakes.audits[fakes.audit_count - 1].owner.pid, 4321);
    assert_handed_out("ASIA1");
    now_ms += MINUTE - 1;
    service_tick(world.service);
    assert_int_equal(lines(), 1);
    now_ms += 1;
    service_tick(world.service);
    assert_int_equal(lines(), 2);
    service_tick(world.service);
    assert_int_equal(lines(), 2);
    assert_handed_out("ASIA1");
    service_flush(world.service);
    assert_int_equal(lines(), 3);
}

static int set_up(void **state)
{
    static const struct clock_source source = {.wall_ms = the_time, .boot_ms = the_time};
    struct err err = {0};

    (void)state;
    log_set_sink(count_warnings, NULL);
    clock_set_source(&source);
    return secret_heap_init(&err);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_shared, close_shared)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_one_mint_for_all),
        T(test_region_is_the_requests),
        T(test_mint_fails_for_all),
        T(test_cannot_start),
        T(test_client_gone),
        T(test_nobody_takes_it),
        T(test_many_wait),
        T(test_another_uid),
        T(test_another_unit),
        T(test_another_recipe),
        T(test_authorized_anew),
        T(test_another_ttl),
        T(test_not_shared),
        T(test_border),
        T(test_border_passed),
        T(test_half_life),
        T(test_refreshed_by_a_request),
        T(test_refreshed_by_time),
        T(test_refreshed_by_a_new_lease),
        T(test_renewal_refused),
        T(test_failures_are_recorded),
        T(test_last_good_one),
        T(test_waiters_get_the_last_good_one),
        T(test_down_beyond_the_end),
        T(test_revoked),
        T(test_revoked_by_all),
        T(test_revoked_while_renewed),
        T(test_renewed_by_a_holder),
        T(test_recipe_changed),
        T(test_recipe_changed_while_minted),
        T(test_not_refreshed_for_nobody),
        T(test_least_used_gives_way),
        T(test_no_room),
        T(test_locked_heap),
        T(test_audit_lines),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
