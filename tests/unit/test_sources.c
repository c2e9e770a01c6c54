/* SPDX-License-Identifier: Apache-2.0 */
/* Where management credentials come from, over the transport seam. */
#include "base/clock.h"
#include "config/validate_aws.h"
#include "sources/cache.h"
#include "sources/source.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "AKIAIOSFODNN7EXAMPLE"
#define KEYS(token)                                                                                \
    "\"AccessKeyId\":\"ASIAIOSFODNN7EXAMPLE\",\"SecretAccessKey\":\"sec\",\"Token\":\"" token "\""

/* What the fake network answers, by substring of "METHOD url body" and headers; later rows win
 * nothing: first match. */
struct route {
    const char *match, *header; /* header: NULL or a header that must be there */
    int status;
    const char *body;
};
static const struct route *routes;
static char asked[8][700]; /* the last calls */
static size_t asked_count;
static int64_t aws_shift_ms;

static bool has_header(const struct http_request *request, const char *header)
{
    for (const char *const *h = request->headers; h != NULL && *h != NULL; h++)
        if (strcmp(*h, header) == 0)
            return true;
    return false;
}

static int transport(const struct http_request *request, struct http_response *ret, struct err *err,
                     void *arg)
{
    char line[700];

    (void)arg;
    snprintf(line, sizeof(line), "%s %s %s %s", request->method, request->url,
             request->body != NULL ? request->body : "",
             request->credential != NULL ? request->credential->access_key_id : "-");
    memcpy(asked[asked_count++ % 8], line, sizeof(line));
    for (const struct route *r = routes; r != NULL && r->match != NULL; r++) {
        if (strstr(line, r->match) == NULL)
            continue;
        ret->status = r->header == NULL || has_header(request, r->header) ? r->status : 401;
        return http_response_append(ret, r->body, strlen(r->body));
    }
    return err_set(err, KMS_EAWSDOWN, "no such host");
}

static int64_t wall(void *arg)
{
    (void)arg;
    return 1767323045000LL + aws_shift_ms; /* 2026-01-02T03:04:05Z */
}

static int64_t boot(void *arg)
{
    (void)arg;
    return 1000000 + aws_shift_ms;
}

static const char *const variables[] = {"DYNAMIC_SECRET_AWS_ACCESS_KEY_ID",
                                        "DYNAMIC_SECRET_AWS_SECRET_ACCESS_KEY",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                        "CREDENTIALS_DIRECTORY",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_ROLE_ARN",
                                        "AWS_ROLE_SESSION_NAME",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                                        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
                                        "AWS_EC2_METADATA_DISABLED",
                                        "KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN"};

static char directory[] = "/tmp/kms-test-sources-XXXXXX";
static struct sources *sources;
static struct recipe recipe;
static struct aws_credential got;
static struct err err;

static int group_set_up(void **state)
{
    static const struct clock_source clock = {wall, boot, NULL};

    (void)state;
    if (secret_heap_init(&err) != 0 || mkdtemp(directory) == NULL)
        return -1;
    clock_set_source(&clock);
    http_set_transport(transport, NULL);
    return 0;
}

static int group_tear_down(void **state)
{
    char command[64];

    (void)state;
    http_set_transport(NULL, NULL);
    clock_set_source(NULL);
    secret_heap_done();
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        unsetenv(variables[i]);
    memset(&recipe, 0, sizeof(recipe));
    strcpy(recipe.region, "eu-west-1");
    routes = NULL;
    asked_count = 0;
    aws_shift_ms = 0;
    err_clear(&err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    aws_credential_done(&got);
    sources_free(sources);
    sources = NULL;
    return 0;
}

static void start(void)
{
    assert_int_equal(sources_new("project-1", &sources, &err), 0);
}

static int get(enum source_use use, bool force)
{
    return source_get(sources, NULL, &recipe, use, force, &got, &err);
}

/* "file:/…/name" in ret. */
static const char *make_file(const char *name, const char *text, mode_t mode)
{
    static char reference[128];
    FILE *file;

    snprintf(reference, sizeof(reference), "file:%s/%s", directory, name);
    file = fopen(reference + 5, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(reference + 5, mode), 0);
    return reference;
}

static void own_key(const char *id, const char *secret)
{
    recipe.method = SECRET_ACCESS_KEY;
    strcpy(recipe.access_key_id, id);
    strcpy(recipe.secret_access_key, secret);
}

static void files_are_read_and_read_again(void **state)
{
    (void)state;
    start();
    own_key(ID, make_file("secret", "first\n", 0400));
    assert_int_equal(get(SOURCE_BASE, false), 0);
    assert_string_equal(got.access_key_id, ID);
    assert_string_equal(secret_text(&got.secret_access_key), "first");
    assert_int_equal(got.expires_ms, 0);
    chmod(recipe.secret_access_key + 5, 0600);
    make_file("secret", "second\r\n", 0600);
    assert_int_equal(get(SOURCE_IAM, false), 0);
    assert_string_equal(secret_text(&got.secret_access_key), "first"); /* for some seconds */
    assert_int_equal(get(SOURCE_BASE, true), 0);
    assert_string_equal(secret_text(&got.secret_access_key), "second");
    make_file("secret", "third", 0600);
    aws_shift_ms = SOURCE_STATIC_MS + 1;
    assert_int_equal(get(SOURCE_BASE, false), 0);
    assert_string_equal(secret_text(&got.secret_access_key), "third");
    assert_int_equal(asked_count, 0);
}

static void bad_files_are_refused(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *says;
    } rows[] = {
        {"secret-value", 0640, "group and others"},
        {"secret-value", 0604, "group and others"},
        {"secret-value", 0620, "group and others"},
        {"", 0600, "one line"},
        {"\n", 0600, "one line"},
        {"secret-value\nand more", 0600, "one line"},
        {"secret value", 0600, "one line"},
    };
    char big[SOURCE_FILE_MAX + 2];

    (void)state;
    start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        own_key(ID, make_file("bad", rows[i].text, rows[i].mode));
        assert_int_equal(get(SOURCE_BASE, true), KMS_ESOURCE);
        assert_non_null(strstr(err.message, rows[i].says));
        assert_non_null(strstr(err.message, "/bad"));
        assert_null(strstr(err.message, "secret-value"));
    }
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    own_key(ID, make_file("bad", big, 0600));
    assert_int_equal(get(SOURCE_BASE, true), KMS_ESOURCE);
    assert_non_null(strstr(err.message, "too large"));
    snprintf(recipe.secret_access_key, sizeof(recipe.secret_access_key), "file:%s", directory);
    assert_int_equal(get(SOURCE_BASE, true), KMS_ESOURCE);
    assert_non_null(strstr(err.message, "not a regular file"));
    strcat(recipe.secret_access_key, "/fifo");
    assert_int_equal(mkfifo(recipe.secret_access_key + 5, 0600), 0);
    assert_int_equal(get(SOURCE_BASE, true), KMS_ESOURCE); /* and does not hang */
    strcpy(recipe.secret_access_key, "file:/nonexistent");
    assert_int_equal(get(SOURCE_BASE, true), KMS_ESOURCE);
    assert_string_equal(err.message, "file:/nonexistent: No such file or directory");
}

static void foreign_file_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    start();
    own_key(ID, make_file("foreign", "secret-value", 0600));
    assert_int_equal(chown(recipe.secret_access_key + 5, 12345, 0), 0);
    assert_int_equal(get(SOURCE_BASE, true), KMS_ESOURCE);
    assert_non_null(strstr(err.message, "must belong"));
}

static void credentials_directory(void **state)
{
    (void)state;
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    start();
    make_file("deploy-id", ID "\n", 0440);
    make_file("deploy-secret", "value\n", 0440); /* systemd's access lists look like this */
    own_key("credential:deploy-id", "credential:deploy-secret");
    assert_int_equal(get(SOURCE_BASE, false), 0);
    assert_string_equal(got.access_key_id, ID);
    assert_string_equal(secret_text(&got.secret_access_key), "value");
    own_key("credential:deploy-secret", "credential:deploy-secret");
    assert_int_equal(get(SOURCE_BASE, false), KMS_ESOURCE);
    assert_string_equal(err.message, "credential:deploy-secret: not an access key id");
    make_file("session-id", "ASIAIOSFODNN7EXAMPLE\n", 0440);
    own_key("credential:session-id", "credential:deploy-secret");
    assert_int_equal(get(SOURCE_BASE, false), KMS_ESOURCE);
    assert_string_equal(err.message, "credential:session-id: it is " ACCESS_KEY_OF_SESSION);
    own_key(ID, "credential:../passwd");
    assert_int_equal(get(SOURCE_BASE, false), KMS_ESOURCE);
    own_key(ID, "credential:..");
    assert_int_equal(get(SOURCE_BASE, false), KMS_ESOURCE);
}

static void missing_credentials_directory_is_named(void **state)
{
    (void)state;
    start();
    own_key(ID, "credential:x");
    assert_int_equal(get(SOURCE_BASE, false), KMS_ESOURCE);
    assert_non_null(strstr(err.message, "$CREDENTIALS_DIRECTORY"));
}

static void value_in_place_of_reference_is_not_repeated(void **state)
{
    (void)state;
    start();
    own_key(ID, "wJalrXUtnFEMI");
    assert_int_equal(get(SOURCE_BASE, false), KMS_ESOURCE);
    assert_null(strstr(err.message, "wJalr"));
}

static void environment_is_taken_and_overwritten(void **state)
{
    char *where;

    (void)state;
    setenv("KMS_TEST_KEY", "env-value", 1);
    where = getenv("KMS_TEST_KEY");
    start();
    own_key(ID, "env:KMS_TEST_KEY");
    assert_true(source_take_env(sources, &recipe));
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(where[i], 0); /* in place */
    assert_int_equal(get(SOURCE_BASE, false), 0);
    assert_string_equal(secret_text(&got.secret_access_key), "env-value");
    assert_int_equal(get(SOURCE_BASE, true), 0); /* kept, though the variable is empty now */
    assert_string_equal(secret_text(&got.secret_access_key), "env-value");
    unsetenv("KMS_TEST_KEY");
    own_key(ID, "env:KMS_TEST_MISSING");
    assert_false(source_take_env(sources, &recipe));
    assert_int_equal(get(SOURCE_BASE, false), KMS_ESOURCE);
    assert_string_equal(err.message, "env:KMS_TEST_MISSING: the variable is not set or empty");
}

#define SESSION(action, id)                                                                        \
    "<" action "Response><" action "Result><Credentials><AccessKeyId>" id                          \
    "</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"             \
    "<Expiration>2026-01-02T04:04:05Z</Expiration></Credentials><AssumedRoleUser><Arn>"            \
    "arn:aws:sts::123456789012:assumed-role/r/kms-agent</Arn></AssumedRoleUser></" action          \
    "Result></" action "Response>"

static void assume_role_recipe(void)
{
    recipe.method = SECRET_ASSUME_ROLE;
    strcpy(recipe.role_arn, "arn:aws:iam::123456789012:role/r");
}

static void dynamic_keys_of_a_session_are_refused(void **state)
{
    (void)state;
    setenv("DYNAMIC_SECRET_AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE", 1);
    setenv("DYNAMIC_SECRET_AWS_SECRET_ACCESS_KEY", "dynamic", 1);
    start();
    assume_role_recipe();
    assert_int_equal(get(SOURCE_BASE, false), KMS_ESOURCE);
    assert_string_equal(err.message,
                        "DYNAMIC_SECRET_AWS_ACCESS_KEY_ID: it is " ACCESS_KEY_OF_SESSION);
}

static void dynamic_keys_are_the_base_of_a_role(void **state)
{
    static const struct route table[] = {
        {"Action=AssumeRole&", NULL, 200, SESSION("AssumeRole", "ASIAROLE")}, {0}};

    (void)state;
    setenv("DYNAMIC_SECRET_AWS_ACCESS_KEY_ID", ID, 1);
    setenv("DYNAMIC_SECRET_AWS_SECRET_ACCESS_KEY", "dynamic", 1);
    start();
    assert_null(getenv("DYNAMIC_SECRET_AWS_SECRET_ACCESS_KEY"));
    routes = table;
    assume_role_recipe();
    assert_int_equal(get(SOURCE_BASE, false), 0);
    assert_string_equal(got.access_key_id, ID);
    assert_string_equal(secret_text(&got.secret_access_key), "dynamic");
    assert_int_equal(asked_count, 0);
    assert_int_equal(get(SOURCE_IAM, false), 0);
    assert_string_equal(got.access_key_id, "ASIAROLE");
    assert_string_equal(got.account_id, "123456789012");
    assert_int_equal(got.expires_ms, 1767326645000LL);
    assert_non_null(strstr(asked[0], "RoleSessionName=kms-agent"));
    assert_non_null(strstr(asked[0], "ExternalId=project-1"));
    assert_non_null(strstr(asked[0], " " ID));
    assert_int_equal(get(SOURCE_IAM, false), 0);
    assert_int_equal(asked_count, 1); /* cached */
    aws_shift_ms = 3600000 - SOURCE_SPARE_MS + 1;
    assert_int_equal(get(SOURCE_IAM, false), 0);
    assert_int_equal(asked_count, 2);
    strcpy(recipe.external_id, "other");
    assert_int_equal(get(SOURCE_IAM, false), 0); /* another role session */
    assert_int_equal(asked_count, 3);
    assert_non_null(strstr(asked[2], "ExternalId=other"));
}

static void session_is_kept_while_sts_is_down(void **state)
{
    static const struct route table[] = {
        {"Action=AssumeRole&", NULL, 200, SESSION("AssumeRole", "ASIAROLE")}, {0}};

    (void)state;
    start();
    assume_role_recipe();
    strcpy(recipe.access_key_id, ID);
    strcpy(recipe.secret_access_key, make_file("base", "x", 0600));
    routes = table;
    assert_int_equal(get(SOURCE_IAM, false), 0);
    routes = NULL;
    aws_shift_ms = 3600000 - 300000; /* five minutes left */
    assert_int_equal(get(SOURCE_IAM, false), 0);
    assert_string_equal(got.access_key_id, "ASIAROLE");
    assert_int_equal(get(SOURCE_IAM, true), KMS_EAWSDOWN); /* it was refused: no use in it */
    assert_non_null(strstr(err.message, "could not assume arn:aws:iam::123456789012:role/r"));
    aws_shift_ms = 3600000 - 30000;
    assert_int_equal(get(SOURCE_IAM, false), KMS_EAWSDOWN);
}

static void half_of_a_pair_is_refused(void **state)
{
    (void)state;
    setenv("DYNAMIC_SECRET_AWS_ACCESS_KEY_ID", ID, 1);
    start();
    assume_role_recipe();
    assert_int_equal(get(SOURCE_BASE, false), KMS_ESOURCE);
    assert_non_null(strstr(err.message, "must both be set"));
}

static void instance_profile_by_version_two(void **state)
{
    static const struct route table[] = {
        {"PUT http://169.254.169.254/latest/api/token",
         "X-aws-ec2-metadata-token-ttl-seconds: 21600", 200, "tok-1"},
        {"security-credentials/my-role", "X-aws-ec2-metadata-token: tok-1", 200,
         "{\"Code\":\"Success\"," KEYS("t1") ",\"Expiration\":\"2026-01-02T09:00:00Z\"}"},
        {"security-credentials/ ", "X-aws-ec2-metadata-token: tok-1", 200, "my-role"},
        {0}};
    static const struct route old_version[] = {
        {"PUT ", NULL, 404, ""}, {"GET ", NULL, 200, "my-role"}, {0}};

    (void)state;
    start();
    assume_role_recipe();
    routes = old_version; /* never falls back */
    assert_int_equal(get(SOURCE_BASE, false), KMS_ESOURCE);
    assert_int_equal(asked_count, 1);
    routes = table;
    assert_int_equal(get(SOURCE_BASE, false), 0);
    assert_string_equal(got.access_key_id, "ASIAIOSFODNN7EXAMPLE");
    assert_string_equal(secret_text(&got.session_token), "t1");
    assert_int_equal(get(SOURCE_BASE, false), 0);
    assert_int_equal(asked_count, 4);
}

static void instance_profile_faults(void **state)
{
    static const char *const roles[] = {"", "../../x", "a role", "<html>"};
    static const char *const documents[] = {
        "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"m\"}",
        "",
        "[]",
        "{",
        "{\"AccessKeyId\":\"A\"}",
        "{" KEYS("t") ",\"Expiration\":\"soon\"}",
        "{" KEYS("t") ",\"Token\":\"u\"}",
        "{" KEYS("") "}"};
    struct route table[] = {{"PUT ", NULL, 200, "tok"},
                            {"security-credentials/r", NULL, 200, ""},
                            {"security-credentials/", NULL, 200, "r\n"},
                            {0}};

    (void)state;
    start();
    assume_role_recipe();
    strcpy(recipe.imds_endpoint, "http://127.0.0.1:1338/");
    routes = table;
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        table[1].body = documents[i];
        assert_int_equal(get(SOURCE_BASE, false), KMS_ESOURCE);
    }
    assert_non_null(strstr(asked[1], "GET http://127.0.0.1:1338/latest/meta-data/"));
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        table[2].body = roles[i];
        assert_int_equal(get(SOURCE_BASE, false), KMS_ESOURCE);
        assert_non_null(strstr(err.message, "no role"));
    }
}

/* Who gives no answer, has trouble of its own or is asked too often: later. Who refuses: not. */
static void what_a_service_says_decides(void **state)
{
    static const struct {
        int status, rc;
    } rows[] = {{0, KMS_EAWSDOWN},  {429, KMS_EAWSDOWN}, {500, KMS_EAWSDOWN}, {503, KMS_EAWSDOWN},
                {400, KMS_ESOURCE}, {401, KMS_ESOURCE},  {403, KMS_ESOURCE},  {404, KMS_ESOURCE}};
    struct route table[] = {{"PUT ", NULL, 0, "tok"}, {"/v2/creds", NULL, 0, ""}, {0}};

    (void)state;
    for (size_t container = 0; container < 2; container++) {
        if (container)
            setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/creds", 1);
        start();
        assume_role_recipe();
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            routes = rows[i].status != 0 ? table : NULL;
            table[0].status = table[1].status = rows[i].status;
            asked_count = 0;
            err_clear(&err);
            assert_int_equal(get(SOURCE_BASE, false), rows[i].rc);
            assert_int_equal(err.code, rows[i].rc);
            assert_non_null(
                strstr(err.message, container ? "the container credentials" : "the instance"));
            assert_null(strstr(err.message, rows[i].status != 0 ? "no such host" : "HTTP status"));
            /* a container endpoint is asked once more when that may help */
            assert_int_equal(asked_count, container && rows[i].rc == KMS_EAWSDOWN ? 2 : 1);
        }
        sources_free(sources);
        sources = NULL;
    }
}

static void container_relative_and_full(void **state)
{
    static const struct route ecs[] = {
        {"GET http://169.254.170.2/v2/creds?id=1", NULL, 200, "{" KEYS("ecs") "}"}, {0}};
    static const struct route eks[] = {{"GET http://169.254.170.23/v1/credentials",
                                        "Authorization: jwt-1", 200,
                                        "{" KEYS("eks") ",\"AccountId\":\"123456789012\"}"},
                                       {0}};

    (void)state;
    setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/creds?id=1", 1);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/ignored", 1);
    start();
    assume_role_recipe();
    routes = ecs;
    assert_int_equal(get(SOURCE_BASE, false), 0);
    assert_string_equal(secret_text(&got.session_token), "ecs");
    sources_free(sources);
    unsetenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "ignored", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", make_file("pod", "jwt-1\n", 0644) + 5, 1);
    start();
    assert_null(getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    routes = eks;
    assert_int_equal(get(SOURCE_BASE, false), 0);
    assert_string_equal(secret_text(&got.session_token), "eks");
    assert_string_equal(got.account_id, "123456789012");
    make_file("pod", "jwt-2\n", 0644); /* read again at each fetch: this one is refused */
    assert_int_equal(get(SOURCE_BASE, true), KMS_ESOURCE);
    assert_null(strstr(err.message, "jwt"));
}

static void web_identity_comes_first(void **state)
{
    static const struct route table[] = {
        {"WebIdentityToken=jwt-a -", NULL, 200, SESSION("AssumeRoleWithWebIdentity", "ASIAWEB")},
        {0}};

    (void)state;
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", make_file("web", "jwt-a", 0644) + 5, 1);
    setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/base", 1);
    setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2", 1);
    start();
    assume_role_recipe();
    routes = table;
    assert_int_equal(get(SOURCE_BASE, false), 0);
    assert_string_equal(got.access_key_id, "ASIAWEB");
    assert_non_null(strstr(asked[0], "role%2Fbase"));
}

static void irsa_is_gated(void **state)
{
    static const struct route table[] = {
        {"WebIdentityToken=jwt-b -", NULL, 200, SESSION("AssumeRoleWithWebIdentity", "ASIAWEB")},
        {0}};
    SECRET_CLEANUP struct secret token = {0};

    (void)state;
    recipe.method = SECRET_IRSA;
    strcpy(recipe.role_arn, "arn:aws:iam::123456789012:role/own");
    strcpy(recipe.web_identity_token_file, make_file("web", "jwt-b", 0644) + 5);
    start();
    assert_int_equal(get(SOURCE_IAM, false), KMS_ESOURCE);
    assert_non_null(strstr(err.message, "KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN=true"));
    assert_int_equal(source_web_identity_token(sources, &recipe, &token, &err), KMS_ESOURCE);
    sources_free(sources);
    setenv("KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN", "true", 1);
    start();
    routes = table;
    assert_int_equal(get(SOURCE_IAM, false), 0);
    assert_string_equal(got.access_key_id, "ASIAWEB");
    assert_non_null(strstr(asked[0], "role%2Fown"));
    assert_int_equal(source_web_identity_token(sources, &recipe, &token, &err), 0);
    assert_string_equal(secret_text(&token), "jwt-b");
    make_file("web", "jwt-c", 0644);
    assert_int_equal(source_web_identity_token(sources, &recipe, &token, &err), 0);
    assert_string_equal(secret_text(&token), "jwt-c");
}

static void nothing_configured_is_one_sentence(void **state)
{
    (void)state;
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    start();
    assume_role_recipe();
    assert_int_equal(get(SOURCE_IAM, false), KMS_ESOURCE);
    assert_non_null(strstr(err.message, "no base credentials"));
    assert_int_equal(asked_count, 0);
}

static void replaced_base_key_is_read_again(void **state)
{
    static const struct route table[] = {
        {"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%"
         "2Fr&"
         "RoleSessionName=kms-agent&DurationSeconds=3600&ExternalId=project-1 AKIAIOSFODNN7EXAMPLE",
         NULL, 403,
         "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>"},
        {"Action=AssumeRole&", NULL, 200, SESSION("AssumeRole", "ASIAROLE")},
        {0}};
    char id[RECIPE_REF_MAX + 1];

    (void)state;
    start();
    assume_role_recipe();
    strcpy(id, make_file("id", ID, 0600));
    strcpy(recipe.access_key_id, id);
    strcpy(recipe.secret_access_key, make_file("base", "x", 0600));
    assert_int_equal(get(SOURCE_BASE, false), 0);
    make_file("id", "AKIAREPLACED00000000", 0600);
    routes = table;
    assert_int_equal(get(SOURCE_IAM, false), 0);
    assert_int_equal(asked_count, 2);
    assert_non_null(strstr(asked[1], "AKIAREPLACED00000000"));
}

static void accounts_are_remembered(void **state)
{
    (void)state;
    start();
    own_key(ID, make_file("base", "x", 0600));
    assert_int_equal(get(SOURCE_BASE, false), 0);
    assert_string_equal(got.account_id, "");
    source_set_account(sources, ID, "123456789012");
    source_set_account(sources, ID, "short");
    assert_int_equal(get(SOURCE_BASE, false), 0);
    assert_string_equal(got.account_id, "123456789012");
}

/* ---- single flight ---- */

static atomic_int fetches;

static int slow_fetch(void *arg, struct aws_credential *ret, struct err *fetch_err)
{
    int rc = *(int *)arg;

    atomic_fetch_add(&fetches, 1);
    usleep(100000);
    if (rc != 0)
        return err_set(fetch_err, rc, "the one failure");
    strcpy(ret->access_key_id, ID);
    return 0;
}

struct caller {
    struct source_cache *cache;
    int wanted, rc;
    struct aws_credential credential;
    struct err err;
};

static void *call(void *arg)
{
    struct caller *caller = arg;

    caller->rc = source_cache_get(caller->cache, "key", true, slow_fetch, &caller->wanted,
                                  &caller->credential, &caller->err);
    return NULL;
}

static void one_fetch_serves_all(void **state)
{
    static const int outcomes[] = {0, KMS_ESOURCE};

    (void)state;
    for (size_t o = 0; o < 2; o++) {
        static struct caller callers[16];
        struct source_cache *cache = NULL;
        pthread_t threads[16];

        memset(callers, 0, sizeof(callers));
        assert_int_equal(source_cache_new(&cache, &err), 0);
        atomic_store(&fetches, 0);
        for (size_t i = 0; i < 16; i++) {
            callers[i].cache = cache;
            callers[i].wanted = outcomes[o];
            assert_int_equal(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
        }
        for (size_t i = 0; i < 16; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(callers[i].rc, outcomes[o]);
            assert_string_equal(callers[i].credential.access_key_id, outcomes[o] == 0 ? ID : "");
            assert_string_equal(callers[i].err.message, outcomes[o] == 0 ? "" : "the one failure");
        }
        assert_int_equal(atomic_load(&fetches), 1);
        source_cache_free(cache);
    }
}

/* ---- a source that hangs ---- */

static _Atomic bool hang_over;

static int hang_fetch(void *arg, struct aws_credential *ret, struct err *fetch_err)
{
    (void)arg;
    (void)ret;
    atomic_fetch_add(&fetches, 1);
    for (int i = 0; i < 2000 && !atomic_load(&hang_over); i++)
        usleep(5000);
    return err_set(fetch_err, KMS_EAWSDOWN, "no answer");
}

static void *call_hanging(void *arg)
{
    struct caller *caller = arg;

    caller->rc = source_cache_get(caller->cache, "key", false, hang_fetch, NULL,
                                  &caller->credential, &caller->err);
    return NULL;
}

static int64_t milliseconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Begins a fetch that hangs. */
static void begin_hanging(struct caller *caller, struct source_cache *cache, pthread_t *thread)
{
    *caller = (struct caller){.cache = cache};
    atomic_store(&hang_over, false);
    atomic_store(&fetches, 0);
    assert_int_equal(pthread_create(thread, NULL, call_hanging, caller), 0);
    while (atomic_load(&fetches) == 0)
        usleep(1000);
}

static void end_hanging(struct caller *caller, pthread_t thread, int rc)
{
    atomic_store(&hang_over, true);
    pthread_join(thread, NULL);
    assert_int_equal(caller->rc, rc);
    aws_credential_done(&caller->credential);
}

/* Once a fetch came to nothing the next that hangs keeps nobody for long. */
static void a_hanging_source_holds_up_one(void **state)
{
    static struct caller caller;
    struct source_cache *cache = NULL;
    pthread_t thread;
    int64_t began;

    (void)state;
    assert_int_equal(source_cache_new(&cache, &err), 0);
    begin_hanging(&caller, cache, &thread);
    end_hanging(&caller, thread, KMS_EAWSDOWN);
    begin_hanging(&caller, cache, &thread);
    began = milliseconds();
    assert_int_equal(source_cache_get(cache, "key", false, hang_fetch, NULL, &got, &err),
                     KMS_EAWSDOWN);
    assert_string_equal(err.message, "no answer");
    assert_true(milliseconds() - began < 3000);
    assert_int_equal(atomic_load(&fetches), 1);
    end_hanging(&caller, thread, KMS_EAWSDOWN);
    source_cache_free(cache);
}

static int short_fetch(void *arg, struct aws_credential *ret, struct err *fetch_err)
{
    (void)arg;
    (void)fetch_err;
    strcpy(ret->access_key_id, ID);
    ret->expires_ms = clock_aws_ms() + 600000; /* so little is fetched anew */
    return secret_set(&ret->secret_access_key, "0123456789", 10);
}

/* A session that is good for some minutes is used while a new one is fetched. */
static void a_session_is_used_while_another_is_fetched(void **state)
{
    static struct caller caller;
    struct source_cache *cache = NULL;
    pthread_t thread;
    int64_t began;

    (void)state;
    assert_int_equal(source_cache_new(&cache, &err), 0);
    assert_int_equal(source_cache_get(cache, "key", false, short_fetch, NULL, &got, &err), 0);
    aws_credential_done(&got);
    aws_shift_ms += 61000; /* it is asked for anew */
    begin_hanging(&caller, cache, &thread);
    began = milliseconds();
    assert_int_equal(source_cache_get(cache, "key", false, hang_fetch, NULL, &got, &err), 0);
    assert_string_equal(got.access_key_id, ID);
    assert_true(milliseconds() - began < 3000);
    assert_int_equal(atomic_load(&fetches), 1);
    end_hanging(&caller, thread, 0);
    source_cache_free(cache);
}

static int quick_fetch(void *arg, struct aws_credential *ret, struct err *fetch_err)
{
    (void)arg;
    (void)fetch_err;
    atomic_fetch_add(&fetches, 1);
    strcpy(ret->access_key_id, ID);
    return secret_set(&ret->secret_access_key, "0123456789", 10);
}

/* More keys than there is room for: the ones unused for longest go, all are served. */
static void cache_is_bounded(void **state)
{
    struct source_cache *cache = NULL;
    char key[16];

    (void)state;
    assert_int_equal(source_cache_new(&cache, &err), 0);
    atomic_store(&fetches, 0);
    for (int i = 0; i < 100000; i++) { /* many times what the locked heap could hold */
        aws_shift_ms = i / 1000;
        snprintf(key, sizeof(key), "%d", i);
        assert_int_equal(source_cache_get(cache, key, false, quick_fetch, NULL, &got, &err), 0);
    }
    assert_int_equal(source_cache_get(cache, "99999", false, quick_fetch, NULL, &got, &err), 0);
    assert_int_equal(atomic_load(&fetches), 100000);
    assert_int_equal(source_cache_get(cache, "0", false, quick_fetch, NULL, &got, &err), 0);
    assert_int_equal(atomic_load(&fetches), 100001);
    source_cache_free(cache);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_read_and_read_again),
        TEST(bad_files_are_refused),
        TEST(foreign_file_is_refused),
        TEST(credentials_directory),
        TEST(missing_credentials_directory_is_named),
        TEST(value_in_place_of_reference_is_not_repeated),
        TEST(environment_is_taken_and_overwritten),
        TEST(dynamic_keys_of_a_session_are_refused),
        TEST(dynamic_keys_are_the_base_of_a_role),
        TEST(session_is_kept_while_sts_is_down),
        TEST(half_of_a_pair_is_refused),
        TEST(instance_profile_by_version_two),
        TEST(instance_profile_faults),
        TEST(what_a_service_says_decides),
        TEST(container_relative_and_full),
        TEST(web_identity_comes_first),
        TEST(irsa_is_gated),
        TEST(nothing_configured_is_one_sentence),
        TEST(replaced_base_key_is_read_again),
        TEST(accounts_are_remembered),
        TEST(one_fetch_serves_all),
        TEST(a_hanging_source_holds_up_one),
        TEST(a_session_is_used_while_another_is_fetched),
        TEST(cache_is_bounded),
    };

    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
