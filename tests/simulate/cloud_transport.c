/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a call on its way: answered, refused, lost before or after it took effect, late.
 */
#include "cloud.h"
#include "sim.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATE_MAX 32

/* The client gave up, the request is still on its way. */
static struct late {
    int64_t at_ms;
    char *body;
} late[LATE_MAX];
static size_t late_count;

static int hex(char c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

void cloud_form(const struct cloud_call *call, const char *name, char *ret, size_t size)
{
    const char *at = call->request->body;
    size_t name_len = strlen(name), n = 0;

    while (at != NULL && (strncmp(at, name, name_len) != 0 || at[name_len] != '=')) {
        at = strchr(at, '&');
        at = at != NULL ? at + 1 : NULL;
    }
    for (at = at != NULL ? at + name_len + 1 : ""; *at != '\0' && *at != '&' && n + 1 < size;
         at++) {
        if (*at == '%') {
            ret[n++] = (char)(hex(at[1]) * 16 + hex(at[2]));
            at += 2;
        } else {
            ret[n++] = *at == '+' ? ' ' : *at;
        }
    }
    ret[n] = '\0';
}

void cloud_refuse(struct cloud_call *call, int status, const char *code, const char *format, ...)
{
    va_list args;

    call->status = status;
    snprintf(call->code, sizeof call->code, "%s", code);
    va_start(args, format);
    vsnprintf(call->message, sizeof call->message, format, args);
    va_end(args);
}

/* Runs the action at the cloud. */
static void apply(struct cloud_call *call, const struct http_request *request)
{
    call->request = request;
    call->status = 200;
    cloud_form(call, "Action", call->action, sizeof call->action);
    cloud_form(call, "UserName", call->user_name, sizeof call->user_name);
    if (strcmp(request->signing_service, "sts") == 0)
        cloud_sts(call);
    else
        cloud_iam(call);
    sim_note("%s %s %d %s%s", call->action, call->user_name, call->status, call->code,
             call->late ? " (late)" : "");
}

void cloud_time_passed(void)
{
    int64_t now_ms = sim.now_ms;

    for (size_t i = 0; i < late_count;) {
        struct cloud_call call = {.late = true};
        struct http_request request = {.body = late[i].body, .signing_service = "iam"};

        if (late[i].at_ms > sim.now_ms) {
            i++;
            continue;
        }
        sim.now_ms = late[i].at_ms; /* this may be after a long time of which nobody asked */
        late[i] = late[--late_count];
        apply(&call, &request);
        sim.now_ms = now_ms;
        free((char *)(uintptr_t)request.body);
    }
}

static void send_late(const struct http_request *request)
{
    if (late_count == LATE_MAX)
        return;
    late[late_count].at_ms = sim.now_ms + sim_between(0, 30000);
    late[late_count].body = strdup(request->body);
    late_count++;
}

static int lose(struct http_response *ret, bool sent, int64_t after_ms, struct err *err)
{
    sim_pass(after_ms);
    ret->sent = sent;
    sim_crash_point("when no answer came");
    return err_set(err, after_ms >= 10000 ? KMS_ETIMEOUT : KMS_EAWSDOWN, "no answer");
}

/* In noise one answer in two hundred has a wrong Date, no two of them the same; not while the agent
 * goes by a wrong time anyway. */
static int64_t draw_date_ms(void)
{
    static int64_t sign = 1;
    int64_t off_ms = clock_aws_ms() - sim.now_ms, date_ms = sim.now_ms / 1000 * 1000;

    if (sim.trouble != TROUBLE_NOISE || off_ms > 2000 || off_ms < -2000 || !sim_chance(50))
        return date_ms;
    sign = -sign;
    date_ms += sign * sim_between(90, 7200) * 1000;
    sim_note("-> with the Date of another time: %+lld s", (long long)(date_ms - sim.now_ms) / 1000);
    return date_ms;
}

static int answer(const struct cloud_call *call, struct http_response *ret)
{
    char body[2400];
    int n;

    ret->sent = true;
    ret->status = call->status;
    ret->date_ms = draw_date_ms();
    if (call->status == 200)
        n = snprintf(body, sizeof body, "<%sResponse><%sResult>%s</%sResult></%sResponse>",
                     call->action, call->action, call->result, call->action, call->action);
    else
        n = snprintf(body, sizeof body,
                     "<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error>"
                     "<RequestId>r</RequestId></ErrorResponse>",
                     call->code, call->message);
    return http_response_append(ret, body, (size_t)n);
}

static int refuse(struct http_response *ret, int status, const char *code)
{
    struct cloud_call call = {.message = "no"};

    cloud_refuse(&call, status, code, "no");
    sim_note("-> %d %s", status, code);
    return answer(&call, ret);
}

/* A signature more than five minutes off is refused, whatever it is. */
static bool clock_is_off(void)
{
    return sim.wall_shift_ms > 300000 || sim.wall_shift_ms < -300000;
}

/* TROUBLE_NOISE: this call goes wrong, somehow. -1: it does not. */
static int noise(struct cloud_call *call, const struct http_request *request,
                 struct http_response *ret, struct err *err)
{
    switch (sim_chance(1200) ? sim_random(9) : 99) {
    case 0:
        return lose(ret, false, sim_between(0, 3000), err);
    case 1:
        return lose(ret, true, sim_between(0, 10000), err);
    case 2:
    case 3:
        apply(call, request);
        return lose(ret, true, sim_chance(3000) ? 10000 : sim_between(0, 500), err);
    case 4:
        if (strstr(request->body, "Action=Create") == NULL)
            return -1;
        send_late(request);
        return lose(ret, true, 10000, err);
    case 5:
        return refuse(ret, 500, "InternalFailure");
    case 6:
        apply(call, request);
        return refuse(ret, 500, "InternalFailure");
    case 7:
        return sim_chance(5000) ? refuse(ret, 503, "ServiceUnavailable")
                                : refuse(ret, 400, "Throttling");
    case 8:
        apply(call, request);
        ret->sent = true;
        ret->status = 200;
        ret->date_ms = draw_date_ms();
        return http_response_append(ret, "<CreateUserRes", 14);
    default:
        return -1;
    }
}

/* The weather of a longer time. -1: the call goes through. */
static int trouble(struct cloud_call *call, const struct http_request *request,
                   struct http_response *ret, struct err *err)
{
    bool management = strcmp(request->credential->access_key_id, CLOUD_MANAGEMENT_KEY) == 0;
    char action[64];

    call->request = request;
    cloud_form(call, "Action", action, sizeof action);
    switch (sim.trouble) {
    case TROUBLE_NOISE:
        return noise(call, request, ret, err);
    case TROUBLE_RESET:
        return lose(ret, sim_chance(3000), sim_between(0, 50), err);
    case TROUBLE_HOLE:
        return lose(ret, sim_chance(5000), sim_chance(5000) ? 3000 : 10000, err);
    case TROUBLE_503:
        return refuse(ret, 503, "ServiceUnavailable");
    case TROUBLE_THROTTLE:
        return sim_chance(8000) ? refuse(ret, 400, "Throttling") : -1;
    case TROUBLE_DENIED:
        return strcmp(action, sim.denied) == 0 ? refuse(ret, 403, "AccessDenied") : -1;
    case TROUBLE_BAD_KEY:
        return management ? refuse(ret, 403, "InvalidClientTokenId") : -1;
    case TROUBLE_NONE:
    case TROUBLE_COUNT:
        break;
    }
    return -1;
}

static int carry(struct cloud_call *call, const struct http_request *request,
                 struct http_response *ret, struct err *err)
{
    int rc;

    if (clock_is_off()) {
        sim_note("-> signature expired");
        sim.refused = true;
        cloud_refuse(call, 403, "SignatureDoesNotMatch", "Signature expired: it is too old");
        return answer(call, ret);
    }
    rc = trouble(call, request, ret, err);
    if (rc != -1)
        return rc;
    apply(call, request);
    sim_crash_point("after a call took effect");
    sim_pass(sim_between(1, 40));
    return answer(call, ret);
}

int cloud_transport(const struct http_request *request, struct http_response *ret, struct err *err,
                    void *arg)
{
    struct cloud_call call = {0};
    int rc;

    (void)arg;
    sim_crash_point("before a call");
    ret->sent_wall_ms = clock_wall_ms();
    sim_pass(sim_between(1, 40));
    /* While one holds the lock of the management credentials nobody else may wait for it. */
    if (strstr(request->body, "RoleSessionName=kms-agent&") == NULL)
        sim_meanwhile();
    rc = carry(&call, request, ret, err);
    ret->received_wall_ms = clock_wall_ms();
    sim_crash_point("after a call");
    return rc;
}
