/* SPDX-License-Identifier: Apache-2.0 */
/* aws_call() and the actions above it, over the transport seam: what is sent, and what each answer
 * means. */
#include "aws/denied_hint.h"
#include "aws/http_rules.h"
#include "aws/iam_cleanup.h"
#include "aws/iam_user.h"
#include "aws/sts.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

/* The answer that the transport gives next, and what it was asked. */
static struct {
    int rc, status, calls;
    bool sent, untrusted;
    const char *body;
    int64_t date_ms, retry_after_ms;
    const char *request_id;
    char url[600], request[4096];
    bool once, has_credential, content_type;
    char region[64], service[16];
} wire;

static int transport(const struct http_request *request, struct http_response *ret, struct err *err,
                     void *arg)
{
    (void)arg;
    wire.calls++;
    wire.once = request->once;
    wire.has_credential = request->credential != NULL;
    wire.content_type =
        strncmp(request->headers[0], "Content-Type: application/x-www-form-urlencoded", 47) == 0 &&
        request->headers[1] == NULL;
    snprintf(wire.url, sizeof(wire.url), "%s %s", request->method, request->url);
    snprintf(wire.request, sizeof(wire.request), "%s", request->body);
    snprintf(wire.region, sizeof(wire.region), "%s", request->signing_region);
    snprintf(wire.service, sizeof(wire.service), "%s", request->signing_service);
    ret->sent = wire.sent;
    ret->untrusted = wire.untrusted;
    if (wire.rc != 0)
        return err_set(err, wire.rc, "the wire is down");
    ret->status = wire.status;
    ret->date_ms = wire.date_ms;
    ret->sent_wall_ms = ret->received_wall_ms = clock_wall_ms();
    ret->retry_after_ms = wire.retry_after_ms;
    if (wire.request_id != NULL)
        snprintf(ret->request_id, sizeof(ret->request_id), "%s", wire.request_id);
    return http_response_append(ret, wire.body, strlen(wire.body));
}

static struct recipe recipe;
static struct aws_credential credential;
static struct aws_target target = {.recipe = &recipe, .credential = &credential};
static struct aws_result result;
static struct err err;

static int group_set_up(void **state)
{
    (void)state;
    if (secret_heap_init(&err) != 0)
        return -1;
    strcpy(recipe.region, "eu-west-1");
    strcpy(credential.access_key_id, "AKIAIOSFODNN7EXAMPLE");
    if (secret_set(&credential.secret_access_key, SECRET, strlen(SECRET)) != 0)
        return -1;
    http_set_transport(transport, NULL);
    return 0;
}

static int group_tear_down(void **state)
{
    (void)state;
    aws_credential_done(&credential);
    http_set_transport(NULL, NULL);
    secret_heap_done();
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    memset(&wire, 0, sizeof(wire));
    wire.status = 200;
    wire.body = "<DeleteUserResponse/>";
    memset(&result, 0xff, sizeof(result));
    err_clear(&err);
    clock_void_offset();
    return 0;
}

static int delete_user(void)
{
    return iam_delete_user(&target, "kms-a", &result, &err);
}

/* An error document; code NULL: no XML at all. */
static int delete_user_refused(int status, const char *code, const char *message)
{
    static char body[4096];

    snprintf(body, sizeof(body),
             "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>"
             "<RequestId>xml-id</RequestId></ErrorResponse>",
             code != NULL ? code : "", message);
    wire.status = status;
    wire.body = code != NULL ? body : message;
    return delete_user();
}

static void request_is_made(void **state)
{
    (void)state;
    wire.request_id = "id-1";
    assert_int_equal(delete_user(), 0);
    assert_string_equal(wire.url, "POST https://iam.amazonaws.com/");
    assert_string_equal(wire.request, "Action=DeleteUser&Version=2010-05-08&UserName=kms-a");
    assert_string_equal(wire.region, "us-east-1");
    assert_string_equal(wire.service, "iam");
    assert_true(wire.has_credential);
    assert_true(wire.content_type);
    assert_false(wire.once);
    assert_int_equal(result.failure, AWS_FAILED_NOT);
    assert_int_equal(result.status, 200);
    assert_false(result.maybe_applied);
    assert_string_equal(result.request_id, "id-1");
}

static void region_without_partition_is_refused(void **state)
{
    struct recipe other = recipe;
    struct aws_target elsewhere = {.recipe = &other, .credential = &credential};

    (void)state;
    strcpy(other.region, "mars-1");
    assert_int_equal(iam_delete_user(&elsewhere, "kms-a", &result, &err), KMS_ECONFIG);
    assert_int_equal(result.failure, AWS_FAILED_PERMANENT);
    assert_int_equal(wire.calls, 0);
}

static void every_code_has_its_meaning(void **state)
{
    static const struct {
        int status;
        const char *code;
        enum aws_failure failure;
        int rc;
        bool maybe_applied;
    } rows[] = {
        {404, "NoSuchEntity", AWS_FAILED_NOT_FOUND, KMS_ENOENTITY, false},
        {409, "EntityAlreadyExists", AWS_FAILED_EXISTS, KMS_EEXISTS, false},
        {409, "DeleteConflict", AWS_FAILED_CONFLICT, KMS_ECONFLICT, false},
        {409, "EntityTemporarilyUnmodifiable", AWS_FAILED_CHANGING, KMS_ECONFLICT, false},
        {409, "ConcurrentModification", AWS_FAILED_CHANGING, KMS_ECONFLICT, false},
        {409, "LimitExceeded", AWS_FAILED_PERMANENT, KMS_EAWSLIMIT, false},
        {400, "LimitExceededException", AWS_FAILED_THROTTLED, KMS_EAWSTHROTTLED, false},
        {400, "Throttling", AWS_FAILED_THROTTLED, KMS_EAWSTHROTTLED, false},
        {503, "SlowDown", AWS_FAILED_THROTTLED, KMS_EAWSTHROTTLED, false},
        {500, "RequestLimitExceeded", AWS_FAILED_THROTTLED, KMS_EAWSTHROTTLED, false},
        {403, "AccessDenied", AWS_FAILED_PERMANENT, KMS_EAWSDENIED, false},
        {400, "ValidationError", AWS_FAILED_PERMANENT, KMS_EAWSREJECTED, false},
        {400, "MalformedPolicyDocument", AWS_FAILED_PERMANENT, KMS_EAWSREJECTED, false},
        {400, "PackedPolicyTooLarge", AWS_FAILED_PERMANENT, KMS_EAWSREJECTED, false},
        {403, "RegionDisabledException", AWS_FAILED_PERMANENT, KMS_EAWSREJECTED, false},
        {403, "InvalidClientTokenId", AWS_FAILED_CREDENTIAL, KMS_ESOURCE, false},
        {403, "ExpiredToken", AWS_FAILED_CREDENTIAL, KMS_ESOURCE, false},
        {400, "ExpiredTokenException", AWS_FAILED_CREDENTIAL, KMS_ESOURCE, false},
        {403, "SignatureDoesNotMatch", AWS_FAILED_CREDENTIAL, KMS_ESOURCE, false},
        {400, "RequestExpired", AWS_FAILED_TRANSIENT, KMS_ECLOCK, false},
        {400, "IDPCommunicationError", AWS_FAILED_TRANSIENT, KMS_EAWSDOWN, false},
        {500, "ServiceFailure", AWS_FAILED_TRANSIENT, KMS_EAWSDOWN, true},
        {500, "InternalFailure", AWS_FAILED_TRANSIENT, KMS_EAWSDOWN, true},
        {503, "ServiceUnavailable", AWS_FAILED_TRANSIENT, KMS_EAWSDOWN, false},
        {502, "Whatever", AWS_FAILED_TRANSIENT, KMS_EAWSDOWN, true},
        {418, "Teapot", AWS_FAILED_PERMANENT, KMS_EAWSREJECTED, false},
        /* no AWS error at all */
        {500, NULL, AWS_FAILED_TRANSIENT, KMS_EAWSDOWN, true},
        {502, NULL, AWS_FAILED_TRANSIENT, KMS_EAWSDOWN, true},
        {503, NULL, AWS_FAILED_TRANSIENT, KMS_EAWSDOWN, true},
        {504, NULL, AWS_FAILED_TRANSIENT, KMS_EAWSDOWN, true},
        {429, NULL, AWS_FAILED_THROTTLED, KMS_EAWSTHROTTLED, false},
        {408, NULL, AWS_FAILED_TRANSIENT, KMS_EAWSDOWN, false},
        {301, NULL, AWS_FAILED_PERMANENT, KMS_EAWSREJECTED, false},
        {403, NULL, AWS_FAILED_PERMANENT, KMS_EAWSREJECTED, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc = delete_user_refused(rows[i].status, rows[i].code,
                                     rows[i].code != NULL ? "text" : "<html>oops</html>");

        if (rc != rows[i].rc || result.failure != rows[i].failure ||
            result.maybe_applied != rows[i].maybe_applied)
            fail_msg("%d %s: rc %d failure %d maybe_applied %d", rows[i].status,
                     rows[i].code != NULL ? rows[i].code : "-", rc, (int)result.failure,
                     (int)result.maybe_applied);
        assert_int_equal(err.code, rc);
        assert_string_equal(err.aws_action, "DeleteUser");
        assert_string_equal(err.aws_code, rows[i].code != NULL ? rows[i].code : "");
        assert_int_equal(strncmp(err.message, "DeleteUser: ", 12), 0);
    }
}

static void failures_without_an_answer(void **state)
{
    (void)state;
    wire.rc = KMS_ETIMEOUT;
    wire.sent = true;
    assert_int_equal(delete_user(), KMS_ETIMEOUT);
    assert_int_equal(result.failure, AWS_FAILED_TRANSIENT);
    assert_true(result.maybe_applied);
    assert_string_equal(err.message, "DeleteUser: the wire is down");
    wire.rc = KMS_EAWSDOWN;
    wire.sent = false;
    assert_int_equal(delete_user(), KMS_EAWSDOWN);
    assert_int_equal(result.failure, AWS_FAILED_TRANSIENT);
    assert_false(result.maybe_applied);
    assert_string_equal(err.aws_action, "DeleteUser");
    wire.untrusted = true;
    assert_int_equal(delete_user(), KMS_EAWSDOWN);
    assert_int_equal(result.failure, AWS_FAILED_UNTRUSTED);
    assert_false(result.maybe_applied);
    wire.untrusted = false;
    wire.rc = KMS_ECONFIG;
    assert_int_equal(delete_user(), KMS_ECONFIG);
    assert_int_equal(result.failure, AWS_FAILED_PERMANENT);
}

static void unreadable_success_may_have_been_applied(void **state)
{
    static const char *const bodies[] = {"",
                                         "<DeleteUserResponse>",
                                         "OK",
                                         "<!DOCTYPE x><x/>",
                                         "<html><body>Log in</body></html>",
                                         "<DeleteUserResponses/>",
                                         "<ListUsersResponse/>"};

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        wire.body = bodies[i];
        assert_int_not_equal(delete_user(), 0);
        assert_int_equal(result.failure, AWS_FAILED_TRANSIENT);
        assert_true(result.maybe_applied);
    }
}

static void other_error_root(void **state)
{
    (void)state;
    wire.status = 403;
    wire.body = "<Response><Errors><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
                "</Errors><RequestID>id-2</RequestID></Response>";
    assert_int_equal(delete_user(), KMS_EAWSDENIED);
    assert_string_equal(err.message, "DeleteUser: AccessDenied: no");
    assert_string_equal(err.aws_request_id, "id-2");
    assert_string_equal(err.hint, "the management identity needs iam:DeleteUser");
}

static void messages_hold_no_secret(void **state)
{
    (void)state;
    delete_user_refused(403, "SignatureDoesNotMatch",
                        "The Canonical String for this request should have been 'POST host:iam");
    assert_string_equal(err.message, "DeleteUser: SignatureDoesNotMatch");
    delete_user_refused(400, "ValidationError", "bad value " SECRET " given");
    assert_string_equal(err.message, "DeleteUser: ValidationError");
    delete_user_refused(400, "ValidationError", "line\none\ttab &#127; end");
    assert_string_equal(err.message, "DeleteUser: ValidationError: line one tab   end");
}

static void long_messages_are_cut_between_characters(void **state)
{
    char text[1001] = "";
    size_t head = strlen("DeleteUser: ValidationError: ");

    (void)state;
    strcpy(text, "x");
    for (int i = 0; i < 400; i++)
        strcat(text, "ü");
    delete_user_refused(400, "ValidationError", text);
    assert_int_equal(strlen(err.message), head + 299); /* 300 would halve an ü */
    assert_string_equal(err.message + head + 297, "ü");
}

static void clock_errors_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(delete_user_refused(403, "SignatureDoesNotMatch",
                                         "Signature expired: 20260101T000000Z is now earlier than"),
                     KMS_ECLOCK);
    assert_int_equal(result.failure, AWS_FAILED_TRANSIENT);
    assert_int_not_equal(err.hint[0], '\0');
    assert_int_equal(delete_user_refused(403, "SignatureDoesNotMatch",
                                         "Signature not yet current: 2026 is still later than"),
                     KMS_ECLOCK);
}

static void date_reaches_the_clock(void **state)
{
    int64_t offset = 0;

    (void)state;
    wire.date_ms = clock_wall_ms() + 50000;
    assert_int_equal(delete_user(), 0);
    assert_true(clock_offset(&offset));
    /* A Date says the second only, and the wall clock was read before the boot clock. */
    assert_in_range(offset, 50000 - 100, 51000);
    clock_void_offset();
    delete_user_refused(403, "AccessDenied", "no"); /* refusals carry the time as well */
    assert_true(clock_offset(NULL));
    clock_void_offset();
    wire.rc = KMS_EAWSDOWN;
    assert_int_not_equal(delete_user(), 0);
    assert_false(clock_offset(NULL));
}

/* A Date is AWS's time only where AWS answered. */
static void date_that_is_not_believed(void **state)
{
    (void)state;
    clock_void_offset();
    wire.date_ms = clock_wall_ms() + 1000;
    wire.status = 403;
    wire.body = "<html><body>Forbidden</body></html>";
    wire.request_id = NULL;
    assert_int_not_equal(delete_user(), 0);
    assert_false(clock_offset(NULL));
    delete_user_refused(403, "AccessDenied", "no");
    assert_true(clock_offset(NULL));
    clock_void_offset();
}

static void retry_after_is_passed_on(void **state)
{
    (void)state;
    wire.retry_after_ms = 1500;
    delete_user_refused(400, "Throttling", "Rate exceeded");
    assert_int_equal(result.retry_after_ms, 1500);
    assert_int_equal(err.retry_after_ms, 1500);
}

static void create_user(void **state)
{
    static const struct iam_tag tags[] = {{"kms-lease-id", "abc"}, {"empty", ""}};
    struct iam_create_user request = {"kms-a", "/kms/", "arn:aws:iam::1:policy/B", tags, 2};
    struct iam_user user = {0};

    (void)state;
    wire.body = "<CreateUserResponse><CreateUserResult><User><UserName>kms-a</UserName>"
                "<UserId>AIDA1</UserId><Path>/kms/</Path><Arn>arn:aws:iam::1:user/kms/kms-a</Arn>"
                "<Tags><member><Key>kms-lease-id</Key><Value>abc</Value></member><member>"
                "<Key>kms-last-end</Key><Value>E</Value></member></Tags></User></CreateUserResult>"
                "</CreateUserResponse>";
    assert_int_equal(iam_create_user(&target, &request, &user, &result, &err), 0);
    assert_string_equal(wire.request,
                        "Action=CreateUser&Version=2010-05-08&UserName=kms-a&Path=%2Fkms%2F"
                        "&PermissionsBoundary=arn%3Aaws%3Aiam%3A%3A1%3Apolicy%2FB"
                        "&Tags.member.1.Key=kms-lease-id&Tags.member.1.Value=abc"
                        "&Tags.member.2.Key=empty&Tags.member.2.Value=");
    assert_string_equal(user.user_id, "AIDA1");
    assert_string_equal(user.path, "/kms/");
    assert_string_equal(user.lease_tag, "abc");
    assert_string_equal(user.last_end_tag, "E");
    assert_string_equal(user.agent_tag, "");
    wire.body = "<CreateUserResponse><CreateUserResult><User/></CreateUserResult>"
                "</CreateUserResponse>";
    assert_int_not_equal(iam_create_user(&target, &request, &user, &result, &err), 0);
    assert_true(result.maybe_applied);
    assert_string_equal(user.user_id, "AIDA1"); /* untouched on failure */
}

static void create_access_key(void **state)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential key = {0};

    (void)state;
    wire.body = "<CreateAccessKeyResponse><CreateAccessKeyResult><AccessKey><UserName>kms-a"
                "</UserName><AccessKeyId>AKIAI44QH8DHBEXAMPLE</AccessKeyId><Status>Active</Status>"
                "<SecretAccessKey>je7MtGbClwBF/2Zp9Utk</SecretAccessKey></AccessKey>"
                "</CreateAccessKeyResult></CreateAccessKeyResponse>";
    assert_int_equal(iam_create_access_key(&target, "kms-a", &key, &result, &err), 0);
    assert_true(wire.once);
    assert_string_equal(key.access_key_id, "AKIAI44QH8DHBEXAMPLE");
    assert_string_equal(secret_text(&key.secret_access_key), "je7MtGbClwBF/2Zp9Utk");
    assert_true(secret_empty(&key.session_token));
    wire.body = "<CreateAccessKeyResponse><CreateAccessKeyResult><AccessKey><AccessKeyId>AKIA"
                "</AccessKeyId></AccessKey></CreateAccessKeyResult></CreateAccessKeyResponse>";
    assert_int_not_equal(iam_create_access_key(&target, "kms-a", &key, &result, &err), 0);
    assert_true(result.maybe_applied);
}

static void removal_of_what_is_gone_is_success(void **state)
{
    (void)state;
    delete_user_refused(404, "NoSuchEntity", "gone");
    assert_int_equal(iam_cleanup_remove(&target, IAM_LIST_GROUPS, "kms-a", "g", &result, &err), 0);
    assert_int_equal(result.failure, AWS_FAILED_NOT);
    assert_int_equal(err.code, 0);
    assert_int_equal(iam_delete_login_profile(&target, "kms-a", &result, &err), 0);
    assert_int_equal(iam_delete_virtual_mfa_device(&target, "arn:aws:iam::1:mfa/x", &result, &err),
                     0);
    assert_string_equal(wire.request, "Action=DeleteVirtualMFADevice&Version=2010-05-08"
                                      "&SerialNumber=arn%3Aaws%3Aiam%3A%3A1%3Amfa%2Fx");
}

static void only_virtual_devices_outlive_their_user(void **state)
{
    (void)state;
    assert_true(iam_cleanup_mfa_is_virtual("arn:aws:iam::123456789012:mfa/x"));
    assert_false(iam_cleanup_mfa_is_virtual("arn:aws:iam::123456789012:u2f/user/x/default-ABC"));
    assert_false(iam_cleanup_mfa_is_virtual("GAHT12345678"));
}

static void list_that_does_not_advance_ends(void **state)
{
    struct iam_names names = {0};
    char marker[321] = "";

    (void)state;
    wire.body = "<ListUserPoliciesResponse><ListUserPoliciesResult><PolicyNames><member>p1</member>"
                "<member>p2</member></PolicyNames><IsTruncated>true</IsTruncated>"
                "<Marker>m1</Marker></ListUserPoliciesResult></ListUserPoliciesResponse>";
    assert_int_equal(
        iam_list_page(&target, IAM_LIST_USER_POLICIES, "kms-a", marker, &names, &result, &err), 0);
    assert_string_equal(marker, "m1");
    assert_int_equal(names.count, 2);
    assert_string_equal(names.items[1], "p2");
    assert_int_not_equal(
        iam_list_page(&target, IAM_LIST_USER_POLICIES, "kms-a", marker, &names, &result, &err), 0);
    assert_non_null(strstr(wire.request, "&Marker=m1"));
    wire.body = "<ListUserPoliciesResponse/>"; /* not an empty list: no list */
    assert_int_not_equal(
        iam_list_page(&target, IAM_LIST_USER_POLICIES, "kms-a", marker, &names, &result, &err), 0);
    iam_names_done(&names);
}

#define KEYS                                                                                       \
    "<Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"            \
    "<SessionToken>t</SessionToken><Expiration>2026-01-02T03:04:05Z</Expiration></Credentials>"

static void role_session(void **state)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential session = {0};
    static const char *const arns[] = {"arn:a", "arn:b"};
    char arn[AWS_ARN_MAX + 1];
    struct sts_session_request request = {.role_arn = "r",
                                          .session_name = "n",
                                          .policy_arns = arns,
                                          .policy_arn_count = 2,
                                          .duration_s = 900,
                                          .web_identity_token = "jwt"};

    (void)state;
    wire.body = "<AssumeRoleResponse><AssumeRoleResult>" KEYS "<AssumedRoleUser><Arn>"
                "arn:aws:sts::123456789012:assumed-role/r/n</Arn></AssumedRoleUser>"
                "</AssumeRoleResult></AssumeRoleResponse>";
    assert_int_equal(sts_assume_role(&target, &request, &session, arn, &result, &err), 0);
    assert_string_equal(wire.url, "POST https://sts.eu-west-1.amazonaws.com/");
    assert_string_equal(wire.region, "eu-west-1");
    assert_string_equal(wire.service, "sts");
    assert_string_equal(wire.request,
                        "Action=AssumeRole&Version=2011-06-15&RoleArn=r&RoleSessionName=n"
                        "&DurationSeconds=900&PolicyArns.member.1.arn=arn%3Aa"
                        "&PolicyArns.member.2.arn=arn%3Ab");
    assert_string_equal(session.account_id, "123456789012");
    assert_int_equal(session.expires_ms, 1767323045000LL);
    assert_string_equal(arn, "arn:aws:sts::123456789012:assumed-role/r/n");
    wire.body = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>" KEYS
                "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
    assert_int_equal(
        sts_assume_role_with_web_identity(&target, &request, &session, arn, &result, &err), 0);
    assert_false(wire.has_credential);
    assert_non_null(strstr(wire.request, "&WebIdentityToken=jwt"));
    wire.status = 400;
    wire.body = "<ErrorResponse><Error><Code>ValidationError</Code><Message>Value 'jwt' at "
                "'webIdentityToken'</Message></Error></ErrorResponse>";
    assert_int_not_equal(
        sts_assume_role_with_web_identity(&target, &request, &session, arn, &result, &err), 0);
    assert_null(strstr(err.message, "jwt"));
}

static void plain_http_goes_to_few_hosts(void **state)
{
    static const char *const good[] = {
        "localhost",        "127.0.0.1",     "127.9.9.9",      "[::1]",           "::1",
        "169.254.169.254",  "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "fd00:ec2::23",
        "[FD00:EC2:0::254]"};
    static const char *const bad[] = {"",
                                      "iam.amazonaws.com",
                                      "localhost.evil.test",
                                      "128.0.0.1",
                                      "127.0.0.1.evil.test",
                                      "169.254.169.253",
                                      "0.0.0.0",
                                      "[::2]",
                                      "[::ffff:127.0.0.1]",
                                      "fd00:ec2::24",
                                      "127.1",
                                      "2130706433",
                                      "[]",
                                      "["};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!http_plain_host_allowed(good[i]))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (http_plain_host_allowed(bad[i]))
            fail_msg("%s", bad[i]);
}

static void headers_are_judged(void **state)
{
    static const char *const bad[] = {"",        "X",      "X:",       "X: ", ": v", "X: a\r\nY: b",
                                      "X: a\nb", "X Y: a", "X: a\x7f", "X;"};

    (void)state;
    assert_true(http_header_allowed("X-Amz-Security-Token: FwoGZXIvYXdzE+/="));
    assert_true(http_header_allowed("a:b"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (http_header_allowed(bad[i]))
            fail_msg("%s", bad[i]);
}

static void take_header(struct http_response *response, const char *line)
{
    http_response_header(response, line, strlen(line));
}

static void response_headers_are_read(void **state)
{
    struct http_response response = {0};

    (void)state;
    take_header(&response, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    take_header(&response, "X-Amzn-RequestId:  abc-1 \r\n");
    take_header(&response, "Retry-After: 2\r\n");
    assert_int_equal(response.date_ms, 784111777000LL);
    assert_string_equal(response.request_id, "abc-1");
    assert_int_equal(response.retry_after_ms, 2000);
    take_header(&response, "x-amz-retry-after: 150\r\n");
    assert_int_equal(response.retry_after_ms, 150);
    take_header(&response, "x-amz-retry-after: -1\r\n");
    assert_int_equal(response.retry_after_ms, 0);
    take_header(&response, "x-amzn-requestid: \x1b[31m\r\n"); /* not into a terminal */
    assert_string_equal(response.request_id, "abc-1");
    take_header(&response, "Dateless: x\r\n");
    take_header(&response, "HTTP/1.1 200 OK\r\n"); /* the answer after a 100 */
    assert_int_equal(response.date_ms, 0);
    assert_string_equal(response.request_id, "");
}

static void bodies_are_bounded(void **state)
{
    static char chunk[65536];
    struct http_response response = {0};

    (void)state;
    for (int i = 0; i < 16; i++)
        assert_int_equal(http_response_append(&response, chunk, sizeof(chunk)), 0);
    assert_int_equal(response.body_len, HTTP_BODY_MAX);
    assert_int_equal(http_response_append(&response, "x", 1), KMS_ETOOBIG);
    http_response_done(&response);
    assert_int_equal(http_response_append(&response, chunk, SIZE_MAX), KMS_ETOOBIG);
    http_response_done(&response);
}

#define NOT_AUTHORIZED                                                                             \
    "User: arn:aws:iam::123456789012:user/kms-management is not authorized to perform: "

/* A bare name says that there may be no such user, but AWS uses it for users that exist, too: the
 * call stays denied. */
static void blind_denial_stays_a_denial(void **state)
{
    (void)state;
    assert_int_equal(delete_user_refused(403, "AccessDenied",
                                         NOT_AUTHORIZED
                                         "iam:DeleteUser on resource: user kms-a because no "
                                         "identity-based policy allows the iam:DeleteUser action"),
                     KMS_EAWSDENIED);
    assert_int_equal(result.failure, AWS_FAILED_PERMANENT);
    assert_true(result.denied_blind);
    assert_string_equal(err.hint, "the management identity needs iam:DeleteUser");
    delete_user_refused(403, "AccessDenied",
                        NOT_AUTHORIZED
                        "iam:DeleteUser on resource: arn:aws:iam::123456789012:user/kms/kms-a");
    assert_false(result.denied_blind);
    delete_user_refused(403, "AccessDenied",
                        NOT_AUTHORIZED "iam:AddUserToGroup on resource: group readers");
    assert_false(result.denied_blind);
    delete_user_refused(404, "NoSuchEntity",
                        NOT_AUTHORIZED "iam:DeleteUser on resource: user kms-a");
    assert_false(result.denied_blind);
}

/* CreateUser with tags may lack iam:TagUser alone. */
static void denial_names_the_action_that_aws_names(void **state)
{
    static const char *const unnamed[] = {"no", NOT_AUTHORIZED, NOT_AUTHORIZED "things",
                                          NOT_AUTHORIZED "\"x\""};

    (void)state;
    delete_user_refused(403, "AccessDenied",
                        NOT_AUTHORIZED
                        "iam:TagUser on resource: arn:aws:iam::123456789012:user/kms/kms-a");
    assert_string_equal(err.hint, "the management identity needs iam:TagUser");
    delete_user_refused(403, "AccessDenied", NOT_AUTHORIZED "iam:GetUser on resource: user kms-a");
    assert_non_null(strstr(err.hint, "iam:GetUser on every user"));
    for (size_t i = 0; i < sizeof(unnamed) / sizeof(unnamed[0]); i++) {
        delete_user_refused(403, "AccessDenied", unnamed[i]);
        assert_string_equal(err.hint, "the management identity needs iam:DeleteUser");
    }
}

/* Who has to do what depends on the action, and on AWS's reason. */
static void hints_are_true(void **state)
{
    static const struct {
        const char *called, *message, *hint;
    } rows[] = {
        {"sts:GetSessionToken", "Cannot call GetSessionToken with session credentials",
         "sts:GetSessionToken needs no permission"},
        {"sts:GetSessionToken", NOT_AUTHORIZED "sts:GetSessionToken with an explicit deny",
         "a policy denies sts:GetSessionToken outright"},
        {"sts:GetCallerIdentity", "no", "sts:GetCallerIdentity needs no permission"},
        {"sts:AssumeRole", NOT_AUTHORIZED "sts:AssumeRole on resource: r", "trust policy"},
        {"sts:AssumeRole", NOT_AUTHORIZED "sts:TagSession on resource: r",
         "need sts:TagSession on the role"},
        {"sts:AssumeRoleWithWebIdentity", "Not authorized to perform sts:AssumeRoleWithWebIdentity",
         "the role's trust policy must allow sts:AssumeRoleWithWebIdentity"},
        {"iam:AddUserToGroup", NOT_AUTHORIZED "iam:AddUserToGroup on resource: group readers",
         "needs iam:AddUserToGroup on the group"},
        {"iam:CreateUser",
         NOT_AUTHORIZED "iam:CreateUser on resource: r because no permissions boundary allows the "
                        "iam:CreateUser action",
         "the permissions boundary of the management identity must allow iam:CreateUser"},
        {"iam:CreateUser",
         NOT_AUTHORIZED "iam:TagUser on resource: r with an explicit deny in a service control "
                        "policy: arn:aws:organizations::1:policy/o-1/p-1",
         "a policy denies iam:TagUser outright"},
        {"iam:CreateUser",
         NOT_AUTHORIZED "iam:CreateUser on resource: r because no service control policy allows "
                        "the iam:CreateUser action",
         "the organization must allow iam:CreateUser"},
        {"iam:CreateUser",
         NOT_AUTHORIZED "iam:CreateUser on resource: r because no identity-based policy allows "
                        "the iam:CreateUser action",
         "the management identity needs iam:CreateUser"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e = {0};

        denied_hint(&e, rows[i].called, rows[i].message, false);
        if (strstr(e.hint, rows[i].hint) == NULL || strchr(e.hint, '%') != NULL)
            fail_msg("row %zu: \"%s\"", i, e.hint);
        assert_true(strlen(e.hint) < ERR_HINT_MAX - 1);
    }
    denied_hint(NULL, "iam:CreateUser", "no", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(request_is_made, set_up),
        cmocka_unit_test_setup(region_without_partition_is_refused, set_up),
        cmocka_unit_test_setup(every_code_has_its_meaning, set_up),
        cmocka_unit_test_setup(failures_without_an_answer, set_up),
        cmocka_unit_test_setup(hints_are_true, set_up),
        cmocka_unit_test_setup(unreadable_success_may_have_been_applied, set_up),
        cmocka_unit_test_setup(other_error_root, set_up),
        cmocka_unit_test_setup(messages_hold_no_secret, set_up),
        cmocka_unit_test_setup(long_messages_are_cut_between_characters, set_up),
        cmocka_unit_test_setup(clock_errors_are_told_apart, set_up),
        cmocka_unit_test_setup(date_reaches_the_clock, set_up),
        cmocka_unit_test_setup(date_that_is_not_believed, set_up),
        cmocka_unit_test_setup(retry_after_is_passed_on, set_up),
        cmocka_unit_test_setup(create_user, set_up),
        cmocka_unit_test_setup(create_access_key, set_up),
        cmocka_unit_test_setup(removal_of_what_is_gone_is_success, set_up),
        cmocka_unit_test_setup(list_that_does_not_advance_ends, set_up),
        cmocka_unit_test_setup(role_session, set_up),
        cmocka_unit_test_setup(blind_denial_stays_a_denial, set_up),
        cmocka_unit_test_setup(denial_names_the_action_that_aws_names, set_up),
        cmocka_unit_test(only_virtual_devices_outlive_their_user),
        cmocka_unit_test(plain_http_goes_to_few_hosts),
        cmocka_unit_test(headers_are_judged),
        cmocka_unit_test(response_headers_are_read),
        cmocka_unit_test(bodies_are_bounded),
    };

    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
