/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/call.h"

#include "aws/aws_code.h"
#include "aws/denied_hint.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/metrics.h"
#include "base/thread_role.h"

#include <stdio.h>
#include <string.h>

#define CLOCK_MOVED_MS 500 /* wall against boot clock during a call; slewing makes 5 at most */

static const char *const service_names[] = {[AWS_IAM] = "iam", [AWS_STS] = "sts"};

/* One call under way. */
struct exchange {
    const struct aws_target *target;
    enum aws_service service;
    const struct query *query;
    struct aws_result *result;
    struct err *err;
};

static void pass_crash_point(const char *when, const char *action)
{
    char name[96];

    snprintf(name, sizeof(name), "aws.%s.%s", when, action);
    crash_point(name);
}

static int find_endpoint(const struct exchange *exchange, struct endpoint *endpoint,
                         char url[RECIPE_URL_MAX + 2])
{
    const struct recipe *recipe = exchange->target->recipe;
    size_t len;
    int rc = exchange->service == AWS_IAM ? endpoint_iam(recipe, endpoint)
                                          : endpoint_sts(recipe, endpoint);

    if (rc != 0) {
        exchange->result->failure = AWS_FAILED_PERMANENT;
        return err_set(exchange->err, KMS_ECONFIG, "%s: no AWS partition has the region \"%s\"",
                       exchange->query->action, recipe->region);
    }
    len = strlen(endpoint->url);
    snprintf(url, RECIPE_URL_MAX + 2, "%s%s", endpoint->url,
             len > 0 && endpoint->url[len - 1] == '/' ? "" : "/");
    return 0;
}

static int send_query(const struct exchange *exchange, const struct endpoint *endpoint,
                      const char *url, struct http_response *response)
{
    /* Given explicitly so that it is among the signed headers. */
    static const char *const headers[] = {
        "Content-Type: application/x-www-form-urlencoded; charset=utf-8", NULL};
    const struct aws_target *target = exchange->target;
    const struct query *query = exchange->query;
    struct http_request request = {
        .method = "POST",
        .url = url,
        .body = query->body,
        .body_len = query->len,
        .headers = headers,
        .credential = target->credential,
        .signing_region = endpoint->signing_region,
        .signing_service = service_names[exchange->service],
        .ca_file = target->recipe->ca_file,
        .total_timeout_ms = target->total_timeout_ms,
        .once = query->once,
        .canceled = target->canceled,
        .canceled_arg = target->canceled_arg,
    };
    int rc;

    pass_crash_point("before", query->action);
    rc = http_perform(target->http, &request, response, exchange->err);
    pass_crash_point("after", query->action);
    return rc;
}

/* No HTTP answer came. */
static int fail_unanswered(const struct exchange *exchange, int rc,
                           const struct http_response *response)
{
    struct aws_result *result = exchange->result;
    struct err *err = exchange->err;

    result->maybe_applied = response->sent;
    switch (rc) {
    case KMS_ECONFIG:
    case KMS_EINTERNAL:
        result->failure = AWS_FAILED_PERMANENT;
        break;
    default:
        result->failure = response->untrusted ? AWS_FAILED_UNTRUSTED : AWS_FAILED_TRANSIENT;
        break;
    }
    err_context(err, "%s", exchange->query->action);
    if (err != NULL)
        snprintf(err->aws_action, sizeof(err->aws_action), "%s", exchange->query->action);
    return rc;
}

/* Belt and braces for messages: whatever AWS says, the signing key is never repeated. */
static bool repeats_secret(const struct exchange *exchange, const char *message)
{
    const struct aws_credential *credential = exchange->target->credential;

    if (strstr(exchange->query->action, "WebIdentity") != NULL)
        return strstr(message, "Value '") != NULL; /* validation errors quote the token */
    if (credential == NULL)
        return false;
    return (!secret_empty(&credential->secret_access_key) &&
            strstr(message, secret_text(&credential->secret_access_key)) != NULL) ||
           (!secret_empty(&credential->session_token) &&
            strstr(message, secret_text(&credential->session_token)) != NULL);
}

static void add_denied_hint(const struct exchange *exchange, const char *message)
{
    char called[96];

    snprintf(called, sizeof(called), "%s:%s", service_names[exchange->service],
             exchange->query->action);
    denied_hint(exchange->err, called, message, exchange->result->denied_blind);
}

static void add_hint(const struct exchange *exchange, int error, const char *message)
{
    if (error == KMS_EAWSDENIED)
        add_denied_hint(exchange, message);
    else if (error == KMS_ECLOCK)
        err_hint(exchange->err, "set the clock of this host: AWS refuses signatures that are "
                                "more than about five minutes off");
}

static int fail_refused(const struct exchange *exchange, const struct aws_meaning *meaning,
                        const char *code, const char *message)
{
    struct aws_result *result = exchange->result;
    const char *action = exchange->query->action;
    char text[304] = "";

    if (!meaning->message_secret && !repeats_secret(exchange, message))
        aws_code_clean(message, text, sizeof(text));
    result->failure = meaning->failure;
    result->denied_blind = meaning->error == KMS_EAWSDENIED && aws_code_denied_blind(message);
    if (code[0] != '\0')
        err_set(exchange->err, meaning->error, "%s: %s%s%s", action, code,
                text[0] != '\0' ? ": " : "", text);
    else
        err_set(exchange->err, meaning->error, "%s: HTTP status %d without an AWS error", action,
                result->status);
    add_hint(exchange, meaning->error, message);
    if (exchange->err != NULL) {
        struct err *err = exchange->err;

        snprintf(err->aws_action, sizeof(err->aws_action), "%s", action);
        snprintf(err->aws_code, sizeof(err->aws_code), "%s", code);
        snprintf(err->aws_request_id, sizeof(err->aws_request_id), "%s", result->request_id);
        err->retry_after_ms = result->retry_after_ms > 0 && result->retry_after_ms < UINT32_MAX
                                  ? (uint32_t)result->retry_after_ms
                                  : 0;
    }
    return meaning->error;
}

/* A server error leaves open whether the change was made, save one that AWS itself calls
 * "unavailable" or a throttle. */
static bool may_be_applied(const struct aws_meaning *meaning, const char *code, int status)
{
    if (meaning->failure == AWS_FAILED_THROTTLED)
        return false;
    return status >= 500 && !(status == 503 && code[0] != '\0');
}

static int judge_failure(const struct exchange *exchange, const struct xml *root)
{
    const char *code = "", *message = "", *request_id = "";
    struct aws_result *result = exchange->result;
    struct aws_meaning meaning;
    char clean[128];

    if (root != NULL && xml_error(root, &code, &message, &request_id) == 0 &&
        result->request_id[0] == '\0')
        aws_code_clean(request_id, result->request_id, sizeof(result->request_id));
    aws_code_clean(code, clean, sizeof(clean));
    meaning = aws_code_meaning(clean, message, result->status);
    if (meaning.failure == AWS_FAILED_NOT)
        meaning.failure = AWS_FAILED_PERMANENT;
    result->maybe_applied = may_be_applied(&meaning, clean, result->status);
    return fail_refused(exchange, &meaning, clean, message);
}

/* AWS's answer to this call, not somebody's page: <ActionResponse>. */
static int check_answer(const struct exchange *exchange, const struct xml *root)
{
    const char *action = exchange->query->action, *name = xml_name(root);
    size_t len = strlen(action);

    if (strncmp(name, action, len) == 0 && strcmp(name + len, "Response") == 0)
        return 0;
    return err_set(exchange->err, KMS_EAWSDOWN, "HTTP status %d without an answer of AWS",
                   exchange->result->status);
}

static int judge(const struct exchange *exchange, const struct http_response *response,
                 struct xml **ret_xml)
{
    struct aws_result *result = exchange->result;
    bool ok = response->status >= 200 && response->status < 300;
    struct xml *root = NULL;
    int rc;

    result->status = response->status;
    result->retry_after_ms = response->retry_after_ms;
    memcpy(result->request_id, response->request_id, sizeof(result->request_id));
    rc = xml_parse(response->body != NULL ? response->body : "", response->body_len, &root,
                   exchange->err);
    if (ok && rc == 0)
        rc = check_answer(exchange, root);
    if (ok && rc == 0) {
        *ret_xml = root;
        return 0;
    }
    if (ok) { /* it may have been done, but what it made is not known */
        xml_free(root);
        result->failure = AWS_FAILED_TRANSIENT;
        result->maybe_applied = true;
        err_context(exchange->err, "%s", exchange->query->action);
        if (exchange->err != NULL)
            exchange->err->code = KMS_EAWSDOWN; /* not the caller's fault */
        return KMS_EAWSDOWN;
    }
    rc = judge_failure(exchange, root);
    /* The refusal is the answer to the second sending. */
    result->maybe_applied = result->maybe_applied || response->begun > 1;
    xml_free(root);
    return rc;
}

/* The code that AWS gave is in result's error only if somebody wanted that error. */
static void count_call(const struct exchange *exchange, int rc, int64_t took_ms)
{
    const struct aws_result *result = exchange->result;
    const char *code = exchange->err != NULL ? exchange->err->aws_code : "";

    if (rc == 0)
        code = "ok";
    else if (result->status == 0)
        code = "no_answer";
    else if (code[0] == '\0')
        code = "bad_answer";
    metrics_count(METRIC_AWS_CALLS, exchange->query->action, code);
    if (result->failure == AWS_FAILED_THROTTLED)
        metrics_count(METRIC_AWS_THROTTLES, service_names[exchange->service], NULL);
    if (result->status != 0)
        metrics_latency(exchange->service, took_ms);
}

/* Wall minus boot clock: moves only when the wall clock is set. */
static int64_t clocks_apart_ms(void)
{
    return clock_wall_ms() - clock_boot_ms();
}

/* Tells AWS's time, unless the clock was set meanwhile (then sent and received do not belong
 * together), or it is not AWS that answered. */
static void observe_date(const struct exchange *exchange, const struct http_response *response,
                         int64_t apart_before_ms, int rc)
{
    int64_t moved_ms = clocks_apart_ms() - apart_before_ms;

    if (rc != 0 && exchange->result->request_id[0] == '\0')
        return;
    if (moved_ms < CLOCK_MOVED_MS && moved_ms > -CLOCK_MOVED_MS)
        clock_observe_aws(response->date_ms, response->sent_wall_ms, response->received_wall_ms);
}

int aws_call(const struct aws_target *target, enum aws_service service, const struct query *query,
             struct xml **ret_xml, struct aws_result *result, struct err *err)
{
    struct exchange exchange = {target, service, query, result, err};
    char url[RECIPE_URL_MAX + 2];
    struct http_response response = {0};
    struct endpoint endpoint;
    int64_t sent_ms;
    int64_t apart_ms = clocks_apart_ms();
    int rc;

    ASSERT_ON_WORKER();
    *result = (struct aws_result){0};
    snprintf(result->action, sizeof(result->action), "%s", query->action);
    *ret_xml = NULL;
    rc = query_check(query, err);
    if (rc != 0) {
        result->failure = AWS_FAILED_PERMANENT;
        return rc;
    }
    rc = find_endpoint(&exchange, &endpoint, url);
    if (rc != 0)
        return rc;
    sent_ms = clock_boot_ms();
    rc = send_query(&exchange, &endpoint, url, &response);
    if (rc != 0) {
        rc = fail_unanswered(&exchange, rc, &response);
    } else {
        rc = judge(&exchange, &response, ret_xml);
        observe_date(&exchange, &response, apart_ms, rc);
    }
    count_call(&exchange, rc, clock_boot_ms() - sent_ms);
    http_response_done(&response);
    return rc;
}

int aws_answer_incomplete(const struct query *query, struct aws_result *result, struct err *err)
{
    result->failure = AWS_FAILED_TRANSIENT;
    result->maybe_applied = true;
    err_set(err, KMS_EAWSREJECTED, "%s: AWS's answer lacks what it must have", query->action);
    if (err != NULL) {
        snprintf(err->aws_action, sizeof(err->aws_action), "%s", query->action);
        snprintf(err->aws_request_id, sizeof(err->aws_request_id), "%s", result->request_id);
    }
    return KMS_EAWSREJECTED;
}
