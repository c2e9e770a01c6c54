/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule about options, with its exact sentence. A row is one secret (or the agent section) of
 * several lines. */
#include "config/load.h"
#include "config/validate_aws.h"
#include "config/validate_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS                                                                                       \
    "access_key_id = \"AKIAIOSFODNN7EXAMPLE\"; secret_access_key = \"env:S\"; region = "           \
    "\"eu-west-1\";\n"
#define TEMPORARY "credential_type = \"temporary-credentials\";\n"
#define ROLE                                                                                       \
    "method = \"assume-role\"; region = \"eu-west-1\"; role_arn = "                                \
    "\"arn:aws:iam::123456789012:role/r\";\n"
#define IRSA "method = \"irsa\"; region = \"eu-west-1\";\n"
#define STATEMENT                                                                                  \
    "\\\"Statement\\\":{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":\\\"*\\\",\\\"Resource\\\":"   \
    "\\\"*\\\"}"

struct row {
    const char *options, *finding; /* finding NULL: fine; text after the file's name */
};

static char found[2048];
static size_t found_count;

static void keep_first(const char *finding, void *arg)
{
    (void)arg;
    if (found_count++ == 0)
        snprintf(found, sizeof(found), "%s", finding);
}

/* Sections start on line 1, the options on line 2. */
static void expect(const char *section, const char *options, const char *finding)
{
    size_t size = strlen(options) + 128, count;
    char *text = malloc(size);

    assert_non_null(text);
    snprintf(text, size, "%s%s%s", section, options, section[0] == 'a' ? "\n};\n" : "\n}; };\n");
    found_count = 0;
    found[0] = '\0';
    count = load_check_text("f", text, strlen(text), keep_first, NULL);
    free(text);
    if (finding == NULL && count != 0)
        fail_msg("%s: %s", options, found);
    if (finding != NULL && (count != 1 || strcmp(found, finding) != 0))
        fail_msg("%s\n%zu findings: %s\nexpected:   %s", options, count, found, finding);
}

static void table(const char *section, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(section, rows[i].options, rows[i].finding);
}
#define SECRETS(rows) table("secret: { s: {\n", rows, sizeof(rows) / sizeof((rows)[0]))
#define AGENTS(rows) table("agent: {\n", rows, sizeof(rows) / sizeof((rows)[0]))

static void agent_options(void **state)
{
    static const struct row rows[] = {
        {"", NULL},
        {"socket = \"run/a\";", "f:2: agent: socket: \"run/a\" is not an absolute path"},
        {"socket = "
         "\"/"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaa"
         "aaaaaaaaaaaaaaaa\";",
         "f:2: agent: socket: is longer than 107 characters, the most a socket's path may have"},
        {"state_directory = 5;", "f:2: agent: state_directory: wants a string"},
        {"state_directory = \"\";", "f:2: agent: state_directory: is empty"},
        {"agent_id = \"a b\";",
         "f:2: agent: agent_id: \"a b\" is not 1 to 64 of letters, digits and . _ -"},
        {"project_id = \"a\";",
         "f:2: agent: project_id: is not 2 to 1224 of letters, digits and _+=,.@:/-"},
        {"iam_rate = \"5\";", "f:2: agent: iam_rate: wants a number"},
        {"iam_rate = 0;", "f:2: agent: iam_rate: 0 is below the least, 0.1"},
        {"sts_rate = 1e9;", "f:2: agent: sts_rate: 1000000000 is above the most, 100000"},
        {"socket_mode = \"0888\";",
         "f:2: agent: socket_mode: wants octal digits in quotes (\"0660\")"},
        {"socket_mode = \"1777\";", "f:2: agent: socket_mode: 1777 is above the most, 0777"},
        {"socket_group = \"nogroup-such\";",
         "f:2: agent: socket_group: unknown group \"nogroup-such\""},
        {"socket_group = \"4294967295\";", "f:2: agent: socket_group: group \"4294967295\" has the "
                                           "id 4294967295, which the kernel shows for any group "
                                           "without a mapping"},
        {"map_size = \"16X\";", "f:2: agent: map_size: wants a size (\"512M\", \"16G\")"},
        {"map_size = \"99999999999T\";", "f:2: agent: map_size: wants a size (\"512M\", \"16G\")"},
        {"map_size = \"1K\";", "f:2: agent: map_size: 1024 is below the least, 1048576"},
        {"map_size = 2097152;", NULL},
        {"audit_retention = \"59m\";", "f:2: agent: audit_retention: 59m is below the least, 1h"},
        {"audit_retention = \"1fortnight\";",
         "f:2: agent: audit_retention: wants a duration (\"90s\", \"15m\", \"1h30m\", \"2d\")"},
        {"allow_volatile_store = \"yes\";",
         "f:2: agent: allow_volatile_store: wants true or false"},
        {"max_connections = 0;", "f:2: agent: max_connections: 0 is below the least, 1"},
        {"max_connections_per_uid = 1.5;",
         "f:2: agent: max_connections_per_uid: wants a whole number"},
        {"max_leases_per_uid = -1;", "f:2: agent: max_leases_per_uid: -1 is below the least, 1"},
        {"mint_rate_per_uid = true;", "f:2: agent: mint_rate_per_uid: wants a number"},
        {"admins = \"user:0, group:5\";", NULL},
        {"admins = [\"alice\"];",
         "f:2: agent: admins: rule \"alice\" is not user:NAME, group:NAME or unit:NAME.service"},
        {"region = \"eu-west-1\";",
         "f:2: unknown option \"region\" in the agent section (it is an option of a secret)"},
        {"imds_endpoint = \"ftp://x\";",
         "f:2: agent: imds_endpoint: \"ftp://x\" does not start with https://"},
        {"ca_file = \"ca.pem\";", "f:2: agent: ca_file: \"ca.pem\" is not an absolute path"},
    };

    (void)state;
    AGENTS(rows);
}

static void methods_and_keys(void **state)
{
    static const struct row rows[] = {
        {KEYS, NULL},
        {KEYS TEMPORARY, NULL},
        {ROLE, NULL},
        {ROLE TEMPORARY, NULL},
        {KEYS "method = \"assume_role\";",
         "f:3: secret \"s\": method: wants \"access-key\", \"assume-role\" or \"irsa\""},
        {"method = \"assume_role\"; role_arn = \"arn:aws:iam::123456789012:role/r\";",
         "f:2: secret \"s\": method: wants \"access-key\", \"assume-role\" or \"irsa\""},
        {KEYS "credential_type = \"sts\";",
         "f:3: secret \"s\": credential_type: wants \"iam-user\" or \"temporary-credentials\""},
        {"region = \"eu-west-1\";", "f:1: secret \"s\": secret_access_key: method \"access-key\" "
                                    "needs access_key_id and secret_access_key"},
        {"region = \"eu-west-1\";\naccess_key_id = \"env:A\";",
         "f:3: secret \"s\": access_key_id: method \"access-key\" needs access_key_id and "
         "secret_access_key"},
        {ROLE "access_key_id = \"env:A\";",
         "f:3: secret \"s\": access_key_id: access_key_id and secret_access_key go "
         "together: give both or neither"},
        {"method = \"assume-role\"; region = \"eu-west-1\";",
         "f:2: secret \"s\": method: \"assume-role\" needs role_arn"},
        {"access_key_id = \"env:A\"; secret_access_key = \"env:S\";",
         "f:1: secret \"s\": region is missing"},
        {"access_key_id = \"env:A\"; secret_access_key = \"env:S\"; region = \"eu-west\";",
         "f:2: secret \"s\": region: \"eu-west\" is not an AWS region (eu-west-1 is one)"},
        {"defualt_ttl = \"1h\";" KEYS,
         "f:2: unknown option \"defualt_ttl\" in secret \"s\" (did you mean \"default_ttl\"?)"},
        {KEYS "share = \"uid\";", "f:3: secret \"s\": share: an IAM user is never shared (\"uid\" "
                                  "is for temporary-credentials)"},
        {"access_key_id = \"ASIAIOSFODNN7EXAMPLE\"; secret_access_key = \"env:S\"; region = "
         "\"eu-west-1\";",
         "f:2: secret \"s\": access_key_id: is " ACCESS_KEY_OF_SESSION},
        {KEYS TEMPORARY "share = \"none\";", NULL},
        {KEYS "share = \"gid\";", "f:3: secret \"s\": share: wants \"uid\" or \"none\""},
        {KEYS "max_leases = 0;", "f:3: secret \"s\": max_leases: 0 is below the least, 1"},
    };

    (void)state;
    unsetenv("AWS_ROLE_ARN");
    SECRETS(rows);
    expect("secret: { s*: {\n", KEYS,
           "f:1: secret \"s*\": the name is not 1 to 64 of letters, digits, _ and -");
}

/* A key that was pasted in must not come back out in a message. */
static void keys_are_never_repeated(void **state)
{
    static const char key[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    static const char *const options[] = {
        "access_key_id = \"AKIAIOSFODNN7EXAMPLE\"; region = \"eu-west-1\"; secret_access_key = "
        "\"%s\";",
        "access_key_id = \"AKIAIOSFODNN7EXAMPLE\"; region = \"eu-west-1\"; secret_access_key = "
        "\"env:%s\";",
        "access_key_id = \"AKIAIOSFODNN7EXAMPLE\"; region = \"eu-west-1\"; secret_access_key = "
        "[\"%s\"];",
        "access_key_id = \"%s\"; region = \"eu-west-1\"; secret_access_key = \"env:S\";",
        "access_key_id = \"AKIAIOSFODNN7EXAMPLE\"; region = \"eu-west-1\"; secret_access_key = %s;",
    };
    static const char *const sentences[] = {
        "f:2: secret \"s\": secret_access_key: must be \"credential:NAME\", \"file:/PATH\" or "
        "\"env:NAME\", never the "
        "key itself",
        "f:2: secret \"s\": secret_access_key: must be \"credential:NAME\", \"file:/PATH\" or "
        "\"env:NAME\", never the "
        "key itself",
        "f:2: secret \"s\": secret_access_key: wants a string",
        "f:2: secret \"s\": access_key_id: must be an access key id (AKIA…), \"credential:NAME\", "
        "\"file:/PATH\" or "
        "\"env:NAME\"",
        "f:2: syntax error",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        char text[512];
        char *percent;

        strcpy(text, options[i]);
        percent = strstr(text, "%s");
        snprintf(percent, sizeof(text) - (size_t)(percent - text), "%s%s", key,
                 strstr(options[i], "%s") + 2);
        expect("secret: { s: {\n", text, sentences[i]);
        assert_null(strstr(found, "wJalr"));
    }
}

static void key_references(void **state)
{
    static const char *const good[] = {"credential:deploy-id", "file:/etc/key", "env:KEY_1",
                                       "AKIAIOSFODNN7EXAMPLE"};
    static const char *const bad[] = {"credential:",
                                      "credential:../x",
                                      "credential:a/b",
                                      "file:etc/key",
                                      "file:",
                                      "env:",
                                      "env:1A",
                                      "env:A-B",
                                      "AKIA",
                                      "BKIAIOSFODNN7EXAMPLE",
                                      "ASIAIOSFODNN7EXAMPLE",
                                      "AKIAIOSFODNN7EXAMPL-"};
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(check_access_key_id(good[i], &err), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(check_access_key_id(bad[i], &err), KMS_ECONFIG);
    assert_int_equal(check_secret_reference("AKIAIOSFODNN7EXAMPLE", &err), KMS_ECONFIG);
}

static void irsa(void **state)
{
#define GATE "KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN"
    (void)state;
    unsetenv(GATE);
    setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod", 1);
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token", 1);
    expect("secret: { s: {\n", IRSA,
           "f:2: secret \"s\": method: irsa needs KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN=true "
           "in the agent's "
           "environment");
    setenv(GATE, "1", 1);
    expect("secret: { s: {\n", IRSA,
           "f:2: secret \"s\": method: irsa needs KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN=true "
           "in the agent's "
           "environment");
    setenv(GATE, "true", 1);
    expect("secret: { s: {\n", IRSA, NULL);
    expect("secret: { s: {\n",
           IRSA TEMPORARY "session_policy_arns = \"arn:aws:iam::aws:policy/X\";", NULL);
    expect("secret: { s: {\n", IRSA "access_key_id = \"env:A\";",
           "f:3: secret \"s\": access_key_id: does not apply to method \"irsa\"");
    expect("secret: { s: {\n", IRSA "external_id = \"abc\";",
           "f:3: secret \"s\": external_id: does not apply to method \"irsa\"");
    setenv("AWS_ROLE_ARN", "nonsense", 1);
    expect("secret: { s: {\n", IRSA "role_arn = \"arn:aws:iam::123456789012:role/r\";", NULL);
    unsetenv("AWS_ROLE_ARN");
    expect("secret: { s: {\n", IRSA,
           "f:2: secret \"s\": method: irsa needs role_arn, or AWS_ROLE_ARN in the agent's "
           "environment");
    expect("secret: { s: {\n", IRSA "role_arn = \"arn:aws:iam::123456789012:role/r\";", NULL);
    unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    expect("secret: { s: {\n", IRSA "role_arn = \"arn:aws:iam::123456789012:role/r\";",
           "f:2: secret \"s\": method: irsa needs web_identity_token_file, or "
           "AWS_WEB_IDENTITY_TOKEN_FILE in the "
           "agent's environment");
    unsetenv(GATE);
}

static void what_does_not_apply(void **state)
{
    static const struct row rows[] = {
        {KEYS "role_arn = \"arn:aws:iam::123456789012:role/r\";",
         "f:3: secret \"s\": role_arn: does not apply to method \"access-key\""},
        {KEYS "external_id = \"abc\";",
         "f:3: secret \"s\": external_id: does not apply to method \"access-key\""},
        {KEYS "imds_endpoint = \"http://169.254.169.254\";",
         "f:3: secret \"s\": imds_endpoint: does not apply to method \"access-key\""},
        {ROLE "imds_endpoint = \"http://169.254.169.254\";", NULL},
        {KEYS "allow_longer = true;",
         "f:3: secret \"s\": allow_longer: does not apply to credential_type \"iam-user\""},
        {ROLE TEMPORARY "allow_longer = true;",
         "f:4: secret \"s\": allow_longer: does not apply to method \"assume-role\" with this "
         "credential_type"},
        {KEYS "web_identity_token_file = \"/t\";",
         "f:3: secret \"s\": web_identity_token_file: does not apply to method \"access-key\""},
        {KEYS TEMPORARY "path = \"/a/\";",
         "f:4: secret \"s\": path: does not apply to credential_type \"temporary-credentials\""},
        {ROLE TEMPORARY "groups = [\"a\"];",
         "f:4: secret \"s\": groups: does not apply to credential_type \"temporary-credentials\""},
        {ROLE TEMPORARY "permissions_boundary = \"arn:aws:iam::123456789012:policy/B\";",
         "f:4: secret \"s\": permissions_boundary: does not apply to credential_type "
         "\"temporary-credentials\""},
        {ROLE TEMPORARY "deny_role_hop = true;", "f:4: secret \"s\": deny_role_hop: does not apply "
                                                 "to credential_type \"temporary-credentials\""},
        {ROLE "session_tags = [\"a=b\"];",
         "f:3: secret \"s\": session_tags: does not apply to credential_type \"iam-user\""},
        {ROLE "max_session_duration = \"2h\";",
         "f:3: secret \"s\": max_session_duration: does not apply to credential_type \"iam-user\""},
        /* GetSessionToken takes no policy */
        {KEYS TEMPORARY "session_policy_document = \"{" STATEMENT "}\";",
         "f:4: secret \"s\": session_policy_document: does not apply to method \"access-key\""},
        {KEYS TEMPORARY "session_policy_arns = \"arn:aws:iam::aws:policy/X\";",
         "f:4: secret \"s\": session_policy_arns: does not apply to method \"access-key\""},
    };

    (void)state;
    SECRETS(rows);
}

static void ttls(void **state)
{
    static const struct row rows[] = {
        {KEYS "default_ttl = \"2h\"; max_ttl = \"1h\";",
         "f:3: secret \"s\": default_ttl: default_ttl (2h) is above max_ttl (1h)"},
        {KEYS "default_ttl = \"5s\";", NULL},
        {KEYS "default_ttl = \"4s\";", "f:3: secret \"s\": default_ttl: 4s is below the least, 5s"},
        {KEYS "default_ttl = \"5500ms\";", "f:3: secret \"s\": default_ttl: wants whole seconds"},
        {KEYS "max_ttl = \"3651d\";", "f:3: secret \"s\": max_ttl: 3651d is above the most, 3650d"},
        {KEYS "max_ttl = -5;",
         "f:3: secret \"s\": max_ttl: wants a duration (\"90s\", \"15m\", \"1h30m\", \"2d\")"},
        {KEYS "ready_timeout = \"0\";", NULL},
        {KEYS "ready_timeout = \"301s\";",
         "f:3: secret \"s\": ready_timeout: 5m1s is above the most, 5m"},
        {KEYS TEMPORARY "default_ttl = \"14m\";",
         "f:4: secret \"s\": default_ttl: 14m is below 15m, the least that GetSessionToken gives "
         "(allow_longer = true "
         "grants 15m instead)"},
        {KEYS TEMPORARY "default_ttl = \"14m\"; allow_longer = true;", NULL},
        {KEYS TEMPORARY "default_ttl = \"5m\"; max_ttl = \"14m\"; allow_longer = true;",
         "f:4: secret \"s\": max_ttl: 14m is below 15m, the least that GetSessionToken gives"},
        {ROLE TEMPORARY "default_ttl = \"60s\"; max_ttl = \"5m\";", NULL},
        {ROLE TEMPORARY "max_session_duration = \"12h\";", NULL},
        {ROLE TEMPORARY "max_session_duration = \"13h\";",
         "f:4: secret \"s\": max_session_duration: 13h is above the most, 12h"},
        {ROLE TEMPORARY "max_session_duration = \"59m\";",
         "f:4: secret \"s\": max_session_duration: 59m is below the least, 1h"},
    };

    (void)state;
    SECRETS(rows);
}

static void arns(void **state)
{
    static const struct row rows[] = {
        {KEYS "policy_arns = [\"arn:aws:iam::aws:policy/job-function/X\", "
              "\"arn:aws:iam::123456789012:policy/a/b\"];",
         NULL},
        {KEYS "policy_arns = [\"arn:aws:iam::aws:role/X\"];",
         "f:3: secret \"s\": policy_arns: \"arn:aws:iam::aws:role/X\" is not the ARN of a managed "
         "policy "
         "(arn:aws:iam::ACCOUNT:policy/NAME)"},
        {KEYS "policy_arns = [\"ReadOnlyAccess\"];",
         "f:3: secret \"s\": policy_arns: \"ReadOnlyAccess\" is not the ARN of a managed policy "
         "(arn:aws:iam::ACCOUNT:policy/NAME)"},
        {KEYS "policy_arns = [\"arn:aws:iam:eu-west-1:aws:policy/X\"];",
         "f:3: secret \"s\": policy_arns: \"arn:aws:iam:eu-west-1:aws:policy/X\" is not the ARN of "
         "a managed policy "
         "(arn:aws:iam::ACCOUNT:policy/NAME)"},
        {KEYS "policy_arns = [\"arn:aws-cn:iam::aws:policy/X\"];",
         "f:3: secret \"s\": policy_arns: \"arn:aws-cn:iam::aws:policy/X\" is in partition aws-cn, "
         "but region eu-west-1 "
         "is in aws"},
        {KEYS "policy_arns = [\"arn:aws:iam::aws:policy/X\", \"arn:aws:iam::aws:policy/X\"];",
         "f:3: secret \"s\": policy_arns: \"arn:aws:iam::aws:policy/X\" is there twice"},
        {KEYS "permissions_boundary = \"arn:aws:iam::123456789012:policy/\";",
         "f:3: secret \"s\": permissions_boundary: \"arn:aws:iam::123456789012:policy/\" is not "
         "the ARN of a managed "
         "policy (arn:aws:iam::ACCOUNT:policy/NAME)"},
        {ROLE "permissions_boundary = \"arn:aws:iam::999999999999:policy/B\";",
         "f:3: secret \"s\": permissions_boundary: \"arn:aws:iam::999999999999:policy/B\" is not "
         "in account 123456789012 "
         "of role_arn"},
        {ROLE "policy_arns = \"arn:aws:iam::aws:policy/X\";", NULL},
        {ROLE TEMPORARY "session_policy_arns = \"arn:aws:iam::999999999999:policy/B\";",
         "f:4: secret \"s\": session_policy_arns: \"arn:aws:iam::999999999999:policy/B\" is not in "
         "account 123456789012 "
         "of role_arn"},
        {"method = \"assume-role\"; region = \"us-gov-east-1\";\nrole_arn = "
         "\"arn:aws:iam::123456789012:role/r\";",
         "f:3: secret \"s\": role_arn: \"arn:aws:iam::123456789012:role/r\" is in partition aws, "
         "but region "
         "us-gov-east-1 is in aws-us-gov"},
        {"method = \"assume-role\"; region = \"us-gov-east-1\"; role_arn = "
         "\"arn:aws-us-gov:iam::123456789012:role/r\";",
         NULL},
        {"method = \"assume-role\"; region = \"eu-west-1\"; role_arn = "
         "\"arn:aws:sts::123456789012:role/r\";",
         "f:2: secret \"s\": role_arn: \"arn:aws:sts::123456789012:role/r\" is not the ARN of a "
         "role "
         "(arn:aws:iam::ACCOUNT:role/NAME)"},
    };

    (void)state;
    SECRETS(rows);
}

static void names_and_lists(void **state)
{
    static const struct row rows[] = {
        {KEYS "groups = \" a , b,c \";", NULL},
        {KEYS "groups = \"\";", NULL},
        {KEYS "groups = (\"a\", \"b\");", NULL},
        {KEYS "groups = [];", NULL},
        {KEYS "groups = [\"a,b\"];",
         NULL}, /* a comma is a character of a name; only strings are split */
        {KEYS "groups = \"a,,b\";", "f:3: secret \"s\": groups: element 2 of 3 is empty: there is "
                                    "nothing between two commas"},
        {KEYS "groups = \"a, b, \";",
         "f:3: secret \"s\": groups: element 3 of 3 is empty: the string ends with a comma"},
        {KEYS "groups = \",a\";",
         "f:3: secret \"s\": groups: element 1 of 2 is empty: the string begins with a comma"},
        {KEYS "groups = [\"a\", \" \"];", "f:3: secret \"s\": groups: element 2 of 2 is empty"},
        {KEYS "tags = \"a=b,\";",
         "f:3: secret \"s\": tags: element 2 of 2 is empty: the string ends with a comma"},
        {KEYS "allow = \"user:0,\";",
         "f:3: secret \"s\": allow: element 2 of 2 is empty: the string ends with a comma"},
        {KEYS "groups = [1, 2];", "f:3: secret \"s\": groups: wants a list of strings"},
        {KEYS "groups = \"a b\";",
         "f:3: secret \"s\": groups: \"a b\" is not 1 to 128 of letters, digits and _+=,.@-"},
        {KEYS "groups = \"a,b,a\";", "f:3: secret \"s\": groups: \"a\" is there twice"},
        {KEYS "groups = \"a,b,A\";",
         "f:3: secret \"s\": groups: \"a\" and \"A\" are the same to AWS, "
         "which ignores case in names"},
        {KEYS "groups = \"a,b,c,d,e,f,g,h,i,j\";", NULL},
        {KEYS "groups = \"a,b,c,d,e,f,g,h,i,j,k\";",
         "f:3: secret \"s\": groups: has 11 elements, at most 10 are possible: AWS takes a user "
         "into 10 groups"},
        {KEYS "path = \"/\";", NULL},
        {KEYS "path = \"//\";",
         "f:3: secret \"s\": path: \"//\" is not an IAM path: \"/\", or printable ASCII without "
         "blanks between two \"/\", at most 512 characters"},
        {KEYS "path = \"/a b/\";",
         "f:3: secret \"s\": path: \"/a b/\" is not an IAM path: \"/\", or printable ASCII "
         "without blanks between two \"/\", at most 512 characters"},
        {KEYS "path = \"/a\";",
         "f:3: secret \"s\": path: \"/a\" is not an IAM path: \"/\", or printable ASCII without "
         "blanks between two \"/\", at most 512 characters"},
        {KEYS "username_template = \"kms-{secret}\";",
         "f:3: secret \"s\": username_template: {lease} is missing: user names must be unique"},
        {ROLE TEMPORARY "session_name_template = \"a/b\";",
         "f:4: secret \"s\": session_name_template: character 2 is not one that IAM takes in a "
         "name (letters, digits "
         "and _+=,.@-)"},
        {ROLE "external_id = \"a b\";",
         "f:3: secret \"s\": external_id: is not 2 to 1224 of letters, digits and _+=,.@:/-"},
        {KEYS "groups = \"a\\x01b\";", "f:3: secret \"s\": groups: holds a control character"},
        {KEYS "groups = \"a\\xffb\";", "f:3: secret \"s\": groups: is not UTF-8"},
    };

    (void)state;
    SECRETS(rows);
}

static void rules(void **state)
{
    static const struct row rows[] = {
        {KEYS "allow = [\"user:0\", \"group:100\", \"unit:web@1.service\", \"unit:a.scope\", "
              "\"unit:b.slice\"];",
         NULL},
        {KEYS "allow = \"user:nosuch\";", "f:3: secret \"s\": allow: unknown user \"nosuch\""},
        {KEYS "allow = \"group:nosuch\";", "f:3: secret \"s\": allow: unknown group \"nosuch\""},
        {KEYS "allow = \"user:\";", "f:3: secret \"s\": allow: the user has no name"},
        {KEYS "allow = \"User:0\";", "f:3: secret \"s\": allow: rule \"User:0\" is not user:NAME, "
                                     "group:NAME or unit:NAME.service"},
        {KEYS "allow = \"unit:web\";",
         "f:3: secret \"s\": allow: unit \"web\" must end in .service, .scope or .slice"},
        {KEYS "allow = \"unit:.service\";",
         "f:3: secret \"s\": allow: unit \".service\" must end in .service, .scope or .slice"},
        {KEYS "allow = \"unit:a/b.service\";",
         "f:3: secret \"s\": allow: \"a/b.service\" is not a unit's name"},
        {KEYS "allow = \"user:65534\";",
         "f:3: secret \"s\": allow: user \"65534\" has the id 65534, which the kernel "
         "shows for any user without a mapping"},
        {KEYS "allow = \"user:4294967296\";",
         "f:3: secret \"s\": allow: user id 4294967296 is too large"},
        {KEYS "allow = \"user:0,user:0\";", "f:3: secret \"s\": allow: \"user:0\" is there twice"},
    };

    (void)state;
    SECRETS(rows);
}

static void tags(void **state)
{
    static const struct row rows[] = {
        {KEYS "tags = [\"a:b/c=d=e\", \"x=\", \"Gr\xc3\xb6\xc3\x9f"
              "e=\xe6\xb8\xac\"];",
         NULL},
        {KEYS "tags = \"a\";", "f:3: secret \"s\": tags: tag \"a\" is not of the form key=value"},
        {KEYS "tags = \"=a\";", "f:3: secret \"s\": tags: tag \"=a\": the key is not 1 to 128 "
                                "letters, digits, blanks and _.:/=+-@"},
        {KEYS "tags = \"a!=b\";", "f:3: secret \"s\": tags: tag \"a!=b\": the key is not 1 to 128 "
                                  "letters, digits, blanks and _.:/=+-@"},
        {KEYS "tags = \"a=\xf0\x9f\x98\x80\";",
         "f:3: secret \"s\": tags: tag \"a=\xf0\x9f\x98\x80\": the value is not at "
         "most 256 letters, digits, blanks and _.:/=+-@"},
        {KEYS "tags = \"AWS:x=b\";",
         "f:3: secret \"s\": tags: tag \"AWS:x=b\": keys that start with aws: are AWS's own"},
        {KEYS "tags = \"Team=a,team=b\";",
         "f:3: secret \"s\": tags: tag \"team\" is there twice (AWS ignores case in keys)"},
        {KEYS "tags = \"KMS-Lease-Id=a\";",
         "f:3: secret \"s\": tags: tag \"KMS-Lease-Id\" is set by the agent"},
        {ROLE TEMPORARY "session_tags = \"a=b,A=c\";",
         "f:4: secret \"s\": session_tags: tag \"A\" is there twice (AWS ignores case in keys)"},
    };
    char text[2048];
    size_t len = 0;
    struct err err;

    (void)state;
    SECRETS(rows);
    len += (size_t)snprintf(text, sizeof(text), KEYS "tags = \"t0=");
    for (int i = 1; i < 47; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, ",t%d=", i);
    snprintf(text + len, sizeof(text) - len, "\";");
    expect("secret: { s: {\n", text, NULL);
    snprintf(text + len, sizeof(text) - len, ",t47=\";");
    expect("secret: { s: {\n", text,
           "f:3: secret \"s\": tags: has 48 elements, at most 47 are possible: AWS takes 50, "
           "and three are the agent's");
    /* lengths count characters, not bytes */
    for (int i = 0; i < 128; i++)
        memcpy(text + 2 * i, "\xc3\xa9", 2);
    strcpy(text + 256, "=");
    assert_int_equal(check_tag(text, &err), 0);
    strcpy(text + 256, "e=");
    assert_int_equal(check_tag(text, &err), KMS_ECONFIG);
}

static void endpoints(void **state)
{
    static const char *const good[] = {
        "https://iam.example",    "https://iam.example:8443/", "http://127.0.0.1:5000",
        "http://127.9.9.9",       "http://localhost:1",        "http://[::1]:80",
        "http://169.254.169.254", "http://169.254.170.2",      "http://169.254.170.23/",
        "http://[fd00:ec2::254]", "http://[fd00:ec2:0::23]",   "https://[2001:db8::1]"};
    static const char *const bad[] = {"iam.example",
                                      "HTTPS://x",
                                      "https://",
                                      "https://a b",
                                      "https://user@host",
                                      "https://host/path",
                                      "https://host?x",
                                      "https://host#x",
                                      "https://host:0",
                                      "https://host:65536",
                                      "https://host:",
                                      "https://host:80x",
                                      "https://[::1",
                                      "https://[]",
                                      "https://ho\"st",
                                      "http://",
                                      "http://iam.example",
                                      "http://128.0.0.1",
                                      "http://169.254.1.1",
                                      "http://127.0.0.1.evil.example",
                                      "http://localhost.evil",
                                      "http://[fd00:ec2::1]",
                                      "http://127.1@evil"};
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (check_endpoint(good[i], &err) != 0)
            fail_msg("%s: %s", good[i], err.message);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (check_endpoint(bad[i], &err) != KMS_ECONFIG)
            fail_msg("%s passed", bad[i]);
    expect("secret: { s: {\n", KEYS "iam_endpoint = \"http://iam.example\";",
           "f:3: secret \"s\": iam_endpoint: http is only for loopback and the link-local metadata "
           "hosts, not for "
           "\"iam.example\"");
}

#define DOCUMENT(text) KEYS "policy_documents = \"" text "\";"
#define SAYS(text) "f:3: secret \"s\": policy_documents: " text

static void documents(void **state)
{
    static const struct row rows[] = {
        {DOCUMENT("{\\\"Version\\\":\\\"2012-10-17\\\"," STATEMENT "}"), NULL},
        {DOCUMENT("  {" STATEMENT ", \\\"Id\\\": \\\"x,y\\\"}"), NULL}, /* never split at commas */
        {DOCUMENT("{\\\"Version\\\":"), SAYS("is not valid JSON: unexpected token near end of file "
                                             "(line 1, column 11 of the document)")},
        {DOCUMENT("{" STATEMENT "," STATEMENT "}"),
         SAYS("is not valid JSON: duplicate object key near '\"Statement\"' (line 1, column 71 "
              "of the document)")},
        {DOCUMENT("[]"), SAYS("a policy must be a JSON object")},
        {DOCUMENT("{}"), SAYS("the policy has no \"Statement\"")},
        {DOCUMENT("{\\\"Statement\\\":[]}"), SAYS("the policy has no \"Statement\"")},
        {DOCUMENT("{\\\"statement\\\":[]}"),
         SAYS("the policy has the unknown element \"statement\"")},
        {DOCUMENT("{\\\"Version\\\":\\\"2012-10-18\\\"," STATEMENT "}"),
         SAYS("\"Version\" must be \"2012-10-17\" or \"2008-10-17\"")},
        {DOCUMENT("{\\\"Statement\\\":[1]}"), SAYS("statement 1: must be an object")},
        {DOCUMENT("{\\\"Statement\\\":{\\\"Effect\\\":\\\"allow\\\"}}"),
         SAYS("statement 1: \"Effect\" must be \"Allow\" or \"Deny\"")},
        {DOCUMENT("{\\\"Statement\\\":{\\\"Effect\\\":\\\"Allow\\\",\\\"Resource\\\":\\\"*\\\"}}"),
         SAYS("statement 1: must have one of \"Action\" and \"NotAction\"")},
        {DOCUMENT("{\\\"Statement\\\":{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":\\\"*\\\"}}"),
         SAYS("statement 1: must have one of \"Resource\" and \"NotResource\"")},
        {DOCUMENT("{\\\"Statement\\\":{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":[],"
                  "\\\"Resource\\\":\\\"*\\\"}}"),
         SAYS("statement 1: \"Action\" must be a string or a list of strings")},
        {DOCUMENT("{\\\"Statement\\\":{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":\\\"*\\\","
                  "\\\"Resource\\\":[5]}}"),
         SAYS("statement 1: \"Resource\" must be a string or a list of strings")},
        {DOCUMENT("{\\\"Statement\\\":{\\\"Principal\\\":\\\"*\\\"}}"),
         SAYS("statement 1: a policy of a user or a session takes no \"Principal\"")},
        {DOCUMENT("{\\\"Statement\\\":{\\\"Sid\\\":\\\"a b\\\",\\\"Effect\\\":\\\"Deny\\\"}}"),
         SAYS("statement 1: \"Sid\" takes letters and digits only")},
        {DOCUMENT("{\\\"Statement\\\":{\\\"Effect\\\":\\\"Deny\\\",\\\"Action\\\":\\\"*\\\","
                  "\\\"Resource\\\":\\\"*\\\","
                  "\\\"Condition\\\":[]}}"),
         SAYS("statement 1: \"Condition\" must be an object")},
        {DOCUMENT("{\\\"Statement\\\":{\\\"Effect\\\":\\\"Deny\\\",\\\"Actions\\\":[]}}"),
         SAYS("statement 1: has the unknown element \"Actions\"")},
        {DOCUMENT("{\\\"Id\\\":\\\"\xe6\xb8\xac\\\"," STATEMENT "}"),
         SAYS("holds a character that AWS does not take in a policy (above U+00FF)")},
        {KEYS "policy_documents = \" \";", NULL},
        {KEYS "policy_documents = 5;", SAYS("wants a list of strings")},
    };

    (void)state;
    SECRETS(rows);
}

/* A policy of one statement whose Resource pads it to size characters. */
static const char *padded(const char *head, const char *option, size_t size)
{
    static char text[8192];
    static const char before[] =
        "{\\\"Statement\\\":{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":\\\"*\\\","
        "\\\"Resource\\\":\\\"arn:aws:s3:::";
    static const char after[] = "\\\"}}";
    size_t plain = 0, len;

    for (const char *p = before; *p != '\0'; p++)
        plain += *p != '\\';
    for (const char *p = after; *p != '\0'; p++)
        plain += *p != '\\';
    len = (size_t)snprintf(text, sizeof(text), "%s%s = \"%s", head, option, before);
    memset(text + len, 'r', size - plain);
    snprintf(text + len + size - plain, sizeof(text) - len - (size - plain), "%s\";", after);
    return text;
}

/* The fence of a user under /kms/ takes 313 of AWS's 2048 characters. */
static void inline_policies_leave_room_for_the_fence(void **state)
{
    (void)state;
    expect("secret: { s: {\n", padded(KEYS, "policy_documents", 2048 - 313), NULL);
    expect("secret: { s: {\n", padded(KEYS, "policy_documents", 2048 - 313 + 1),
           "f:3: secret \"s\": policy_documents: the documents take 1736 characters; the fence "
           "takes 313"
           " and leaves 1735 of the 2048 that AWS allows for all inline policies of a user");
}

static void session_policies_leave_room_for_the_deny(void **state)
{
    (void)state;
    expect("secret: { s: {\n", padded(ROLE TEMPORARY, "session_policy_document", 2048 - 129), NULL);
    expect("secret: { s: {\n", padded(ROLE TEMPORARY, "session_policy_document", 2048 - 129 + 1),
           "f:4: secret \"s\": session_policy_document: the session policies take 1920"
           " characters; the dated Deny takes 129 and leaves 1919 of the 2048 that AWS allows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agent_options),
        cmocka_unit_test(methods_and_keys),
        cmocka_unit_test(keys_are_never_repeated),
        cmocka_unit_test(key_references),
        cmocka_unit_test(irsa),
        cmocka_unit_test(what_does_not_apply),
        cmocka_unit_test(ttls),
        cmocka_unit_test(arns),
        cmocka_unit_test(names_and_lists),
        cmocka_unit_test(rules),
        cmocka_unit_test(tags),
        cmocka_unit_test(endpoints),
        cmocka_unit_test(documents),
        cmocka_unit_test(inline_policies_leave_room_for_the_fence),
        cmocka_unit_test(session_policies_leave_room_for_the_deny),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
