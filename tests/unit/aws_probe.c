/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the AWS layer against a running endpoint, for tests/integration/test_aws_probe.py: one line
 * per call on stdout, ACTION rc failure maybe_applied aws_code and secrets never. Usage: aws_probe
 * MODE, with CLOUD_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what the mode needs
 * (PROBE_ROLE, PROBE_ROLE_TOKEN_FILE) in the environment. */
#include "aws/http.h"
#include "aws/iam_cleanup.h"
#include "aws/iam_list.h"
#include "aws/iam_user.h"
#include "aws/sts.h"
#include "base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USER "kms-probe-0123456789abcdef0123456789abcdef"
#define FENCE                                                                                      \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\","            \
    "\"Resource\":\"*\",\"Condition\":{\"DateGreaterThanEquals\":"                                 \
    "{\"aws:CurrentTime\":\"2099-01-01T00:00:00Z\"}}}]}"
#define READ_ONLY "arn:aws:iam::aws:policy/ReadOnlyAccess"

struct probe {
    struct http_client *http;
    struct recipe recipe;
    struct aws_credential key;
    struct aws_target target;
    struct aws_result result;
    struct err err;
};

static int say(struct probe *probe, const char *action, int rc)
{
    printf("%s %d %d %d %s\n", action, rc, (int)probe->result.failure,
           (int)probe->result.maybe_applied, probe->err.aws_code[0] ? probe->err.aws_code : "-");
    if (rc != 0)
        fprintf(stderr, "%s (%s)\n", probe->err.message, probe->err.hint);
    err_clear(&probe->err);
    return rc;
}

#define CALL(action, ...) say(probe, action, __VA_ARGS__)
#define TAIL &probe->result, &probe->err

static void open_probe(struct probe *probe)
{
    const char *secret = getenv("AWS_SECRET_ACCESS_KEY");

    if (secret_heap_init(&probe->err) != 0 || http_global_init(&probe->err) != 0 ||
        http_client_new(&probe->http, &probe->err) != 0 ||
        secret_set(&probe->key.secret_access_key, secret, strlen(secret)) != 0) {
        fprintf(stderr, "aws_probe: %s\n", probe->err.message);
        exit(1);
    }
    snprintf(probe->key.access_key_id, sizeof(probe->key.access_key_id), "%s",
             getenv("AWS_ACCESS_KEY_ID"));
    strcpy(probe->recipe.region, "us-east-1");
    snprintf(probe->recipe.iam_endpoint, sizeof(probe->recipe.iam_endpoint), "%s",
             getenv("CLOUD_URL"));
    strcpy(probe->recipe.sts_endpoint, probe->recipe.iam_endpoint);
    if (getenv("PROBE_CA") != NULL)
        snprintf(probe->recipe.ca_file, sizeof(probe->recipe.ca_file), "%s", getenv("PROBE_CA"));
    probe->target = (struct aws_target){
        .http = probe->http, .recipe = &probe->recipe, .credential = &probe->key};
}

static void close_probe(struct probe *probe)
{
    aws_credential_done(&probe->key);
    http_client_free(probe->http);
    http_global_done();
    secret_heap_done();
}

static int list_all(struct probe *probe, enum iam_list_kind kind, const char *action,
                    struct iam_names *names)
{
    char marker[321] = "";
    int rc;

    do
        rc = iam_list_page(&probe->target, kind, USER, marker, names, TAIL);
    while (rc == 0 && marker[0] != '\0');
    return say(probe, action, rc);
}

static void remove_all(struct probe *probe, enum iam_list_kind kind, const char *list_action,
                       const char *action)
{
    struct iam_names names = {0};

    list_all(probe, kind, list_action, &names);
    for (size_t i = 0; i < names.count; i++)
        CALL(action, iam_cleanup_remove(&probe->target, kind, USER, names.items[i], TAIL));
    iam_names_done(&names);
}

static int create_user(struct probe *probe, struct iam_user *user)
{
    static const struct iam_tag tags[] = {{"kms-agent-id", "probe"},
                                          {"kms-lease-id", "0123456789abcdef0123456789abcdef"},
                                          {"kms-last-end", "2099-01-01T00:00:00Z"},
                                          {"team", "Größe + @/= ü"},
                                          {"empty", ""}};
    struct iam_create_user request = {
        .user_name = USER, .path = "/kms/", .tags = tags, .tag_count = 5};

    return CALL("CreateUser", iam_create_user(&probe->target, &request, user, TAIL));
}

static int mint(struct probe *probe, struct aws_credential *ret)
{
    struct iam_user user = {0};

    if (create_user(probe, &user) != 0)
        return -1;
    printf("tags %s %s %s\n", user.agent_tag, user.lease_tag, user.last_end_tag);
    CALL("PutUserPolicy", iam_put_user_policy(&probe->target, USER, "kms-fence", FENCE, TAIL));
    CALL("AttachUserPolicy", iam_attach_user_policy(&probe->target, USER, READ_ONLY, TAIL));
    CALL("AddUserToGroup", iam_add_user_to_group(&probe->target, USER, "probe", TAIL));
    return CALL("CreateAccessKey", iam_create_access_key(&probe->target, USER, ret, TAIL));
}

static void use_new_key(struct probe *probe, const struct aws_credential *key)
{
    struct aws_target target = probe->target;
    struct sts_identity identity = {0};

    target.credential = key;
    if (CALL("GetCallerIdentity", sts_get_caller_identity(&target, &identity, TAIL)) == 0)
        printf("identity %s\n", identity.arn);
}

static void take_apart(struct probe *probe, const struct aws_credential *key)
{
    struct iam_user user = {0};

    CALL("DeleteAccessKey", iam_delete_access_key(&probe->target, USER, key->access_key_id, TAIL));
    CALL("GetUser", iam_get_user(&probe->target, USER, &user, TAIL));
    remove_all(probe, IAM_LIST_ACCESS_KEYS, "ListAccessKeys", "DeleteAccessKey");
    remove_all(probe, IAM_LIST_ATTACHED_POLICIES, "ListAttachedUserPolicies", "DetachUserPolicy");
    remove_all(probe, IAM_LIST_GROUPS, "ListGroupsForUser", "RemoveUserFromGroup");
    remove_all(probe, IAM_LIST_USER_POLICIES, "ListUserPolicies", "DeleteUserPolicy");
    CALL("DeleteUser", iam_delete_user(&probe->target, USER, TAIL));
}

static void run_mint(struct probe *probe)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential key = {0};

    if (mint(probe, &key) == 0)
        use_new_key(probe, &key);
    take_apart(probe, &key);
}

/* The user is made by the test, with all that a user can have; only the agent's own calls take it
 * apart. */
static void run_clean(struct probe *probe)
{
    CALL("DeleteUser", iam_delete_user(&probe->target, USER, TAIL));
    CALL("DeleteLoginProfile", iam_delete_login_profile(&probe->target, USER, TAIL));
    CALL("DeleteLoginProfile", iam_delete_login_profile(&probe->target, USER, TAIL));
    remove_all(probe, IAM_LIST_ACCESS_KEYS, "ListAccessKeys", "DeleteAccessKey");
    remove_all(probe, IAM_LIST_MFA_DEVICES, "ListMFADevices", "DeactivateMFADevice");
    remove_all(probe, IAM_LIST_SSH_PUBLIC_KEYS, "ListSSHPublicKeys", "DeleteSSHPublicKey");
    remove_all(probe, IAM_LIST_SIGNING_CERTIFICATES, "ListSigningCertificates",
               "DeleteSigningCertificate");
    remove_all(probe, IAM_LIST_SERVICE_CREDENTIALS, "ListServiceSpecificCredentials",
               "DeleteServiceSpecificCredential");
    remove_all(probe, IAM_LIST_ATTACHED_POLICIES, "ListAttachedUserPolicies", "DetachUserPolicy");
    remove_all(probe, IAM_LIST_GROUPS, "ListGroupsForUser", "RemoveUserFromGroup");
    remove_all(probe, IAM_LIST_USER_POLICIES, "ListUserPolicies", "DeleteUserPolicy");
    CALL("DeleteUser", iam_delete_user(&probe->target, USER, TAIL));
}

static void run_singles(struct probe *probe)
{
    CALL("DetachUserPolicy", iam_detach_user_policy(&probe->target, USER, READ_ONLY, TAIL));
    CALL("RemoveUserFromGroup", iam_remove_user_from_group(&probe->target, USER, "probe", TAIL));
    CALL("DeleteUserPolicy", iam_delete_user_policy(&probe->target, USER, "kms-fence", TAIL));
    CALL("DeleteUser", iam_delete_user(&probe->target, USER, TAIL));
}

static void run_list_users(struct probe *probe)
{
    struct iam_names names = {0};
    char marker[321] = "";
    int rc, pages = 0;

    do {
        rc = iam_list_users_page(&probe->target, "/many/", marker, &names, TAIL);
        pages++;
    } while (rc == 0 && marker[0] != '\0');
    say(probe, "ListUsers", rc);
    printf("users %zu pages %d\n", names.count, pages);
    iam_names_done(&names);
}

static void run_get(struct probe *probe)
{
    struct iam_user user = {0};

    CALL("GetUser", iam_get_user(&probe->target, USER, &user, TAIL));
}

/* The one unsigned action. */
static void run_web(struct probe *probe)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential session = {0};
    char arn[AWS_ARN_MAX + 1];
    struct sts_session_request request = {.role_arn = "arn:aws:iam::123456789012:role/web",
                                          .session_name = "kms-probe",
                                          .duration_s = 900,
                                          .web_identity_token = "probe-web-token"};

    CALL("AssumeRoleWithWebIdentity",
         sts_assume_role_with_web_identity(&probe->target, &request, &session, arn, TAIL));
}

/* One CreateAccessKey on a handle whose connection is in use already. */
static void run_key(struct probe *probe)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential key = {0};
    struct iam_user user = {0};

    CALL("GetUser", iam_get_user(&probe->target, USER, &user, TAIL));
    CALL("CreateAccessKey", iam_create_access_key(&probe->target, USER, &key, TAIL));
}

static void report_session(const struct aws_credential *session, const char *arn)
{
    printf("session %.4s token %d account %s left_s %lld arn %s\n", session->access_key_id,
           !secret_empty(&session->session_token),
           session->account_id[0] != '\0' ? session->account_id : "-",
           (long long)((session->expires_ms - clock_aws_ms()) / 1000), arn);
}

static void run_sessions(struct probe *probe)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential session = {0};
    char arn[AWS_ARN_MAX + 1] = "";
    static const struct iam_tag tags[] = {{"team", "a b"}};
    static const char *const arns[] = {READ_ONLY};
    struct sts_session_request request = {
        .role_arn = getenv("PROBE_ROLE"),
        .session_name = "kms-probe",
        .external_id = "probe-external",
        .policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                  "\"Action\":\"sts:*\",\"Resource\":\"*\"}]}",
        .policy_arns = arns,
        .policy_arn_count = 1,
        .tags = tags,
        .tag_count = 1,
        .duration_s = 900,
    };
    static char token[20001];
    int fd;
    ssize_t n;

    if (CALL("GetSessionToken", sts_get_session_token(&probe->target, 900, &session, TAIL)) == 0)
        report_session(&session, arn);
    if (CALL("AssumeRole", sts_assume_role(&probe->target, &request, &session, arn, TAIL)) == 0) {
        report_session(&session, arn);
        use_new_key(probe, &session);
    }
    fd = open(getenv("PROBE_ROLE_TOKEN_FILE"), O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, token, sizeof(token) - 1) : 0;
    token[n > 0 ? n : 0] = '\0';
    close(fd);
    request.role_arn = getenv("PROBE_WEB_ROLE");
    request.web_identity_token = token;
    request.policy_arn_count = 0;
    if (CALL("AssumeRoleWithWebIdentity",
             sts_assume_role_with_web_identity(&probe->target, &request, &session, arn, TAIL)) == 0)
        report_session(&session, arn);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct probe *probe);
    } modes[] = {{"mint", run_mint},       {"clean", run_clean},
                 {"singles", run_singles}, {"list-users", run_list_users},
                 {"get", run_get},         {"web", run_web},
                 {"key", run_key},         {"sessions", run_sessions}};
    static struct probe probe;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc == 2 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].name, argv[1]) != 0)
            continue;
        open_probe(&probe);
        modes[i].run(&probe);
        close_probe(&probe);
        return 0;
    }
    fprintf(stderr, "usage: aws_probe mint|clean|singles|list-users|get|web|key|sessions\n");
    return 2;
}
