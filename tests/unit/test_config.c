/* SPDX-License-Identifier: Apache-2.0 */
/* Files: what a good configuration becomes, and what is said about files that are not. The checks
 * of single options are in test_config_options.c. */
#include "config/config.h"
#include "config/load.h"
#include "config/machine_id.h"
#include "config/print.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/config_files.h"

#define AGENT "agent: { agent_id = \"web-7\"; };\n"
#define KEYS                                                                                       \
    "    access_key_id = \"AKIAIOSFODNN7EXAMPLE\";\n"                                              \
    "    secret_access_key = \"credential:deploy-secret\";\n"                                      \
    "    region = \"eu-west-1\";\n"
#define POLICY                                                                                     \
    "{ \"Version\": \"2012-10-17\",\n  \"Statement\": { \"Effect\": \"Allow\", \"Action\": "       \
    "\"s3:*\", "                                                                                   \
    "\"Resource\": \"*\" } }\n"
#define POLICY_MINIFIED                                                                            \
    "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\","         \
    "\"Resource\":\"*\"}}"

static struct config *load_good(void)
{
    struct config *config = NULL;
    struct err err = {0};

    if (config_load(files_path("agent.conf"), &config, &err) != 0)
        fail_msg("%s", err.message);
    return config;
}

/* Loads agent.conf and expects the one finding (~ is the directory). */
static void expect_finding(const char *finding)
{
    struct config *config = NULL;
    struct err err = {0};
    int rc = config_load(files_path("agent.conf"), &config, &err);

    if (rc == 0)
        config_unref(config);
    assert_int_equal(rc, KMS_ECONFIG);
    assert_string_equal(err.message, files_expand(finding));
    assert_null(config);
}

static void whole_agent_section(void **state)
{
    struct config *config;
    const struct agent_config *agent;

    (void)state;
    files_write("agent.conf", "agent: {\n"
                              "  socket = \"/run/a.sock\"; state_directory = \"/var/lib/a\";\n"
                              "  agent_id = \"web-7\"; project_id = \"6f2c-1\";\n"
                              "  admins = [\"group:0\", \"user:root\"];\n"
                              "  iam_rate = 7; sts_rate = 70.5;\n"
                              "  socket_mode = \"0600\"; socket_group = \"root\";\n"
                              "  map_size = \"64M\"; audit_retention = \"30d\";\n"
                              "  allow_volatile_store = true;\n"
                              "  max_connections = 10; max_connections_per_uid = 5;\n"
                              "  max_leases_per_uid = 9; mint_rate_per_uid = 0.5;\n"
                              "}\n");
    config = load_good();
    agent = &config->agent;
    assert_string_equal(agent->socket, "/run/a.sock");
    assert_string_equal(agent->state_directory, "/var/lib/a");
    assert_string_equal(agent->agent_id, "web-7");
    assert_string_equal(agent->project_id, "6f2c-1");
    assert_int_equal(agent->admins.count, 2);
    assert_int_equal(agent->admins.rules[0].kind, RULE_GROUP);
    assert_int_equal(agent->admins.rules[1].kind, RULE_USER);
    assert_int_equal(agent->admins.rules[1].id, 0);
    assert_string_equal(agent->admins.rules[1].text, "user:root");
    assert_true(agent->iam_rate == 7.0 && agent->sts_rate == 70.5 &&
                agent->mint_rate_per_uid == 0.5);
    assert_int_equal(agent->socket_mode, 0600);
    assert_int_equal(agent->socket_gid, 0);
    assert_int_equal(agent->map_size, 64 << 20);
    assert_int_equal(agent->audit_retention_s, 30 * 86400);
    assert_true(agent->allow_volatile_store);
    assert_int_equal(agent->max_connections, 10);
    assert_int_equal(agent->max_connections_per_uid, 5);
    assert_int_equal(agent->max_leases_per_uid, 9);
    assert_int_equal(config->secret_count, 0);
    config_unref(config);
}

static void defaults(void **state)
{
    struct config *config;
    const struct agent_config *agent;
    const struct secret_config *secret;

    (void)state;
    files_write("agent.conf", AGENT "secret: { deploy: {\n" KEYS "} };\n");
    config = load_good();
    agent = &config->agent;
    assert_string_equal(agent->socket, "/run/kms-agent/agent.sock");
    assert_string_equal(agent->state_directory, "/var/lib/kms-agent");
    assert_null(agent->project_id);
    assert_int_equal(agent->admins.count, 0);
    assert_true(agent->iam_rate == 5.0 && agent->sts_rate == 50.0 &&
                agent->mint_rate_per_uid == 10.0);
    assert_int_equal(agent->socket_mode, 0660);
    assert_int_equal(agent->socket_gid, UINT32_MAX);
    assert_int_equal(agent->map_size, 16LL << 30);
    assert_int_equal(agent->audit_retention_s, 90 * 86400);
    assert_false(agent->allow_volatile_store);
    assert_int_equal(agent->max_connections, 1024);
    assert_int_equal(agent->max_connections_per_uid, 64);
    assert_int_equal(agent->max_leases_per_uid, 256);
    secret = config_secret(config, "deploy");
    assert_non_null(secret);
    assert_int_equal(secret->recipe.method, SECRET_ACCESS_KEY);
    assert_int_equal(secret->recipe.type, CREDENTIAL_IAM_USER);
    assert_int_equal(secret->recipe.default_ttl_s, 3600);
    assert_int_equal(secret->recipe.max_ttl_s, 86400);
    assert_string_equal(secret->recipe.path, "/kms/");
    assert_string_equal(secret->username_template, "kms-{secret}-{lease}");
    assert_string_equal(secret->session_name_template, "kms-{secret}-{uid}");
    assert_int_equal(secret->ready_timeout_ms, 30000);
    assert_int_equal(secret->share, SHARE_NONE);
    assert_int_equal(secret->max_leases, 10000);
    assert_false(secret->recipe.deny_role_hop || secret->allow_longer);
    assert_int_equal(secret->source_line, 2);
    assert_string_equal(secret->source_file, files_path("agent.conf"));
    assert_int_equal(config->warnings.count, 1);
    assert_string_equal(config->warnings.items[0],
                        "secret \"deploy\": allow is empty, nobody may have it");
    config_unref(config);
}

static const char whole_secret[] =
    "secret: { deploy: {\n"
    "  method = \"access-key\"; credential_type = \"iam-user\";\n" KEYS
    "  default_ttl = \"30m\"; max_ttl = 7200;\n"
    "  allow = \"user:root, group:0,unit:web.service\";\n"
    "  path = \"/kms/team/\";\n"
    "  permissions_boundary = \"arn:aws:iam::123456789012:policy/Boundary\";\n"
    "  groups = [\"developers\", \"readers\"];\n"
    "  policy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"];\n"
    "  policy_documents = [\"@deploy-policy.json\", "
    "\"{\\\"Statement\\\":[{\\\"Effect\\\":\\\"Deny\\\","
    "\\\"NotAction\\\":[\\\"a:b\\\",\\\"c:d\\\"],\\\"Resource\\\":\\\"*\\\"}]}\"];\n"
    "  tags = [\"team=platform\", \"expr=a=b\", \"empty=\"];\n"
    "  username_template = \"u-{lease}\"; share = \"none\"; deny_role_hop = true;\n"
    "  ready_timeout = \"500ms\"; max_leases = 3;\n"
    "  iam_endpoint = \"http://127.0.0.1:5000\"; sts_endpoint = \"https://sts.example/\";\n"
    "} };\n";

static void whole_secret_section(void **state)
{
    struct config *config;
    const struct secret_config *s;

    (void)state;
    files_write("agent.conf", AGENT);
    files_write("secrets.d/deploy.conf", whole_secret);
    files_write("secrets.d/deploy-policy.json", POLICY);
    config = load_good();
    s = config_secret(config, "deploy");
    assert_int_equal(s->recipe.default_ttl_s, 1800);
    assert_int_equal(s->recipe.max_ttl_s, 7200);
    assert_int_equal(s->allow.count, 3);
    assert_int_equal(s->allow.rules[2].kind, RULE_UNIT);
    assert_string_equal(s->allow.rules[2].text, "unit:web.service");
    assert_string_equal(s->recipe.path, "/kms/team/");
    assert_string_equal(s->permissions_boundary, "arn:aws:iam::123456789012:policy/Boundary");
    assert_int_equal(s->groups.count, 2);
    assert_string_equal(s->groups.items[1], "readers");
    assert_int_equal(s->policy_documents.count, 2);
    assert_string_equal(s->policy_documents.items[0], POLICY_MINIFIED);
    assert_int_equal(s->tag_count, 3);
    assert_string_equal(s->tags[1].key, "expr");
    assert_string_equal(s->tags[1].value, "a=b");
    assert_string_equal(s->tags[2].value, "");
    assert_int_equal(s->ready_timeout_ms, 500);
    assert_int_equal(s->max_leases, 3);
    assert_true(s->recipe.deny_role_hop);
    assert_string_equal(s->recipe.iam_endpoint, "http://127.0.0.1:5000");
    assert_string_equal(s->source_file, files_path("secrets.d/deploy.conf"));
    assert_int_equal(strlen(s->digest), 64);
    assert_null(config_secret(config, "deploy2"));
    config_unref(config);
}

/* What --print-config writes is a configuration with the same meaning. */
static void print_round_trips(void **state)
{
    struct config *config, *again;
    char digest[65];
    FILE *out;

    (void)state;
    files_write("agent.conf", AGENT);
    files_write("secrets.d/deploy.conf", whole_secret);
    files_write("secrets.d/deploy-policy.json", POLICY);
    config = load_good();
    memcpy(digest, config_secret(config, "deploy")->digest, sizeof(digest));
    unlink(files_path("secrets.d/deploy.conf"));
    out = fopen(files_path("agent.conf"), "w");
    print_config(out, config);
    fclose(out);
    config_unref(config);
    again = load_good();
    assert_string_equal(config_secret(again, "deploy")->digest, digest);
    assert_int_equal(config_secret(again, "deploy")->allow.count, 3);
    assert_int_equal(again->agent.map_size, 16LL << 30);
    config_unref(again);
}

static void digest_follows_what_shapes(void **state)
{
    static const struct {
        const char *option;
        bool shapes;
    } rows[] = {{"", false},
                {"allow = \"user:root\";", false},
                {"max_leases = 5;", false},
                {"ready_timeout = \"1s\";", false},
                {"groups = \"a\";", true},
                {"tags = \"a=b\";", true},
                {"path = \"/x/\";", true},
                {"max_ttl = \"2h\";", true},
                {"deny_role_hop = true;", true},
                {"iam_endpoint = \"https://x\";", true},
                {"username_template = \"{lease}\";", true}};
    char first[65] = "";

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[1024];
        struct config *config;
        const char *digest;

        snprintf(text, sizeof(text), AGENT "secret: { a: { %s %s } };", rows[i].option, KEYS);
        files_write("agent.conf", text);
        config = load_good();
        digest = config_secret(config, "a")->digest;
        if (i == 0)
            memcpy(first, digest, sizeof(first));
        if ((strcmp(first, digest) != 0) != rows[i].shapes)
            fail_msg("%s", rows[i].option);
        config_unref(config);
    }
}

/* Only what decides the permissions, and not the order in which it is written. */
static void grant_follows_permissions(void **state)
{
    static const struct {
        const char *option, *same_as; /* NULL: as nothing set; "": as no other row */
    } rows[] = {
        {"", NULL},
        {"tags = \"a=b\";", NULL},
        {"path = \"/x/\";", NULL},
        {"max_ttl = \"2h\";", NULL},
        {"deny_role_hop = true;", NULL},
        {"username_template = \"{lease}\";", NULL},
        {"groups = \"a\";", ""},
        {"groups = \"a,b\";", ""},
        {"groups = \"b,a\";", "groups = \"a,b\";"},
        {"policy_arns = \"arn:aws:iam::aws:policy/A\";", ""},
        {"permissions_boundary = \"arn:aws:iam::aws:policy/A\";", ""},
        {"policy_documents = [\"@p.json\"];", ""},
    };
    char grants[sizeof(rows) / sizeof(rows[0])][RECIPE_GRANT_MAX + 1];

    (void)state;
    files_write("p.json", POLICY);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[1024];
        struct config *config;

        snprintf(text, sizeof(text), AGENT "secret: { a: { %s %s } };", rows[i].option, KEYS);
        files_write("agent.conf", text);
        config = load_good();
        memcpy(grants[i], config_secret(config, "a")->recipe.grant, sizeof(grants[i]));
        config_unref(config);
        print_message("%s: %s\n", rows[i].option, grants[i]);
        assert_int_equal(strcmp(grants[i], RECIPE_GRANT_NONE) == 0, rows[i].same_as == NULL);
        for (size_t j = 0; j < i && rows[i].same_as != NULL; j++)
            assert_int_equal(strcmp(grants[i], grants[j]) == 0,
                             strcmp(rows[i].same_as, rows[j].option) == 0 && j > 0);
    }
}

static void inherited_from_the_agent_section(void **state)
{
    struct config *config;
    const struct recipe *recipe;

    (void)state;
    files_write(
        "agent.conf",
        "agent: { agent_id = \"a\"; project_id = \"project-1\"; sts_endpoint = "
        "\"https://sts.example\";\n"
        "  iam_endpoint = \"https://iam.example\"; imds_endpoint = \"http://[fd00:ec2::254]\"; };\n"
        "secret: { r: { method = \"assume-role\"; role_arn = "
        "\"arn:aws:iam::123456789012:role/r\";\n"
        "  region = \"eu-west-1\"; iam_endpoint = \"https://other.example\"; };\n"
        "  k: {" KEYS "}; };\n");
    config = load_good();
    recipe = &config_secret(config, "r")->recipe;
    assert_string_equal(recipe->external_id, "project-1");
    assert_string_equal(recipe->sts_endpoint, "https://sts.example");
    assert_string_equal(recipe->iam_endpoint, "https://other.example");
    assert_string_equal(recipe->imds_endpoint, "http://[fd00:ec2::254]");
    assert_string_equal(config_secret(config, "k")->recipe.external_id, "");
    config_unref(config);
}

static void drop_ins_in_byte_order(void **state)
{
    struct config *config;

    (void)state;
    files_write("agent.conf", AGENT "secret: { m: {" KEYS "} };");
    files_write("secrets.d/b.conf", "secret: { a: {" KEYS "} };");
    files_write("secrets.d/a.conf", "secret: { z: {" KEYS "} };");
    files_write("secrets.d/.hidden.conf", "nonsense");
    files_write("secrets.d/x.conf.bak", "nonsense");
    config = load_good();
    assert_int_equal(config->secret_count, 3);
    assert_string_equal(config->secrets[0].name, "a");
    assert_string_equal(config->secrets[2].name, "z");
    config_unref(config);
    files_write("secrets.d/c.conf", "\nsecret: { m: {" KEYS "} };");
    expect_finding("~/secrets.d/c.conf:2: secret \"m\" is there twice (also at ~/agent.conf:2)");
    files_write("secrets.d/c.conf", "\nagent: { };");
    expect_finding(
        "~/secrets.d/c.conf:2: the agent section belongs into ~/agent.conf, drop-ins hold secrets");
}

static void references_are_counted(void **state)
{
    struct config *config;

    (void)state;
    files_write("agent.conf", AGENT);
    config = load_good();
    assert_ptr_equal(config_ref(config), config);
    config_unref(config);
    assert_string_equal(config->agent.agent_id, "web-7");
    config_unref(config);
    config_unref(NULL);
}

static void syntax(void **state)
{
    static const struct {
        const char *text, *finding;
    } rows[] = {
        {"agent: {\n", "~/agent.conf:2: syntax error"},
        {"agent: { agent_id = \"a\"", "~/agent.conf:1: syntax error"},
        {"agent: { agent_id = \"a", "~/agent.conf:1: syntax error"},
        {"\nagent: { agent_id = a; };\n", "~/agent.conf:2: syntax error"},
        {"agent: {\n agent_id = \"a\";\n agent_id = \"b\";\n};\n",
         "~/agent.conf:3: duplicate setting name"},
        {"agent: { };\nagent: { };\n", "~/agent.conf:2: duplicate setting name"},
        {"secret: { a: { };\n a: { }; };\n", "~/agent.conf:2: duplicate setting name"},
        {"\n\n@include \"/etc/shadow\"\n",
         "~/agent.conf:3: @include is not allowed (use files in secrets.d instead)"},
        {"# a\n \t@include \"x\"\n",
         "~/agent.conf:2: @include is not allowed (use files in secrets.d instead)"},
        {"agent: { agent_id = \"\n\f@include \\\"x\\\"\"; };\n",
         "~/agent.conf:2: @include is not allowed (use files in secrets.d instead)"},
        {"/*\n@include\n*/\n",
         "~/agent.conf:2: @include is not allowed (use files in secrets.d instead)"},
        {"# a\r@include \"x\"\n",
         "~/agent.conf:1: @include is not allowed (use files in secrets.d instead)"},
        /* libconfig would cut these to 32 bits */
        {"agent: {\n max_connections = 4294967297;\n};\n",
         "~/agent.conf:2: the number 4294967297 is too large"},
        {"agent: { max_connections = 2147483648; };\n",
         "~/agent.conf:1: the number 2147483648 is too large"},
        {"agent: { max_connections = -2147483648; };\n",
         "~/agent.conf:1: the number -2147483648 is too large"},
        {"agent: { max_connections = 0x100000001; };\n",
         "~/agent.conf:1: the number 0x100000001 is too large"},
        {"agent: { map_size = 99999999999999999999L; };\n",
         "~/agent.conf:1: the number 99999999999999999999L is too large"},
        {"agents: { };\n",
         "~/agent.conf:1: unknown section \"agents\" (there are agent and secret)"},
        {"\nagent = 5;\n", "~/agent.conf:2: agent must be a section in braces"},
        {"secret = [];\n", "~/agent.conf:1: secret must be a section in braces"},
        {"secret: {\n deploy = \"x\";\n};\n",
         "~/agent.conf:2: secret deploy must be a section in braces"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].finding);
        files_write("agent.conf", rows[i].text);
        expect_finding(rows[i].finding);
    }
}

/* Digits that are no numbers: in names, strings, comments, fractions. */
static void large_numbers_where_none_is(void **state)
{
    struct config *config;

    (void)state;
    files_write("agent.conf",
                "# 99999999999\n// 99999999999\n/* 99999999999\n\" */\n"
                "agent: { agent_id = \"99999999999\"; ca_file = \"/a\\\" = 99999999999\"; iam_rate "
                "= 5.00000000000000;\n"
                " sts_rate = 1e2; map_size = 4294967296L; max_connections = 0x10; };\n"
                "secret: { a99999999999: {\n" KEYS "} };\n");
    config = load_good();
    assert_int_equal(config->agent.map_size, 4294967296);
    assert_int_equal(config->agent.max_connections, 16);
    assert_non_null(config_secret(config, "a99999999999"));
    config_unref(config);
}

static void size_and_bytes(void **state)
{
    size_t size = 1048577;
    char *big = malloc(size);

    (void)state;
    memset(big, '\n', size);
    memcpy(big, AGENT, strlen(AGENT));
    files_write_bytes("agent.conf", big, size - 1);
    config_unref(load_good());
    files_write_bytes("agent.conf", big, size);
    expect_finding("~/agent.conf: is larger than 1048576 bytes");
    files_write_bytes("agent.conf", "agent: { };\0secret: {", 20);
    expect_finding("~/agent.conf: holds a NUL byte");
    free(big);
}

static void ownership(void **state)
{
    (void)state;
    files_write("agent.conf", AGENT);
    files_write("secrets.d/a.conf", "");
    files_write("real.conf", AGENT);
    config_unref(load_good());
    chmod(files_path("agent.conf"), 0664);
    expect_finding("~/agent.conf: it is writable by its group or others (mode 0664)");
    chmod(files_path("agent.conf"), 0646);
    expect_finding("~/agent.conf: it is writable by its group or others (mode 0646)");
    chmod(files_path("agent.conf"), 0640);
    chmod(files_path("secrets.d/a.conf"), 0666);
    expect_finding("~/secrets.d/a.conf: it is writable by its group or others (mode 0666)");
    chmod(files_path("secrets.d/a.conf"), 0600);
    chmod(files_path("secrets.d"), 0777);
    expect_finding("~/secrets.d: it is writable by its group or others (mode 0777)");
    chmod(files_path("secrets.d"), 01777);
    expect_finding("~/secrets.d: it is writable by its group or others (mode 1777)");
    chmod(files_path("secrets.d"), 0755);
    chmod(files_path("."), 0777);
    expect_finding("~/agent.conf: its directory is writable by its group or others (mode 0777)");
    chmod(files_path("."), 0755);
    config_unref(load_good());
}

static void ownership_behind_links(void **state)
{
    char foreign[] = "/tmp/kms-config-other-XXXXXX", target[64];

    (void)state;
    assert_non_null(mkdtemp(foreign));
    snprintf(target, sizeof(target), "%s/real.conf", foreign);
    assert_int_equal(symlink(target, files_path("agent.conf")), 0);
    files_write("agent.conf", AGENT); /* through the link */
    config_unref(load_good());
    chmod(foreign, 0777);
    expect_finding("~/agent.conf: its directory is writable by its group or others (mode 0777)");
    chmod(foreign, 0755);
    chmod(target, 0662);
    expect_finding("~/agent.conf: it is writable by its group or others (mode 0662)");
    unlink(target);
    expect_finding("~/agent.conf: cannot be read: No such file or directory");
    rmdir(foreign);
}

static void ownership_of_another_user(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    files_write("agent.conf", AGENT);
    files_write("secrets.d/a.conf", "");
    assert_int_equal(chown(files_path("agent.conf"), 12345, 0), 0);
    expect_finding(
        "~/agent.conf: it belongs to uid 12345, it must belong to root or the agent's user");
    assert_int_equal(chown(files_path("agent.conf"), 0, 12345), 0);
    config_unref(load_good());
    assert_int_equal(chown(files_path("secrets.d"), 12345, 0), 0);
    expect_finding(
        "~/secrets.d: it belongs to uid 12345, it must belong to root or the agent's user");
}

static void at_files_follow_the_rule(void **state)
{
    (void)state;
    files_write("agent.conf",
                AGENT "secret: { a: {" KEYS "\n policy_documents = \"@p.json\"; } };");
    expect_finding("~/agent.conf:6: secret \"a\": policy_documents: @p.json: cannot be read: No "
                   "such file or directory");
    files_write("p.json", POLICY);
    config_unref(load_good());
    chmod(files_path("p.json"), 0622);
    expect_finding("~/agent.conf:6: secret \"a\": policy_documents: @p.json: it is writable by its "
                   "group or others (mode "
                   "0622)");
    unlink(files_path("p.json"));
    assert_int_equal(mkfifo(files_path("p.json"), 0600), 0);
    expect_finding(
        "~/agent.conf:6: secret \"a\": policy_documents: @p.json: is not a regular file");
}

static void missing_file(void **state)
{
    (void)state;
    expect_finding("~/agent.conf: cannot be read: No such file or directory");
}

static char findings[8][1024];
static size_t finding_count;

static void keep(const char *finding, void *arg)
{
    (void)arg;
    if (finding_count < 8)
        snprintf(findings[finding_count], sizeof(findings[0]), "%s", finding);
    finding_count++;
}

static void check_names_every_finding(void **state)
{
    const char *files[2];

    (void)state;
    files_write("one.conf", "agent: { iam_rat = 5; socket_mode = 660; };\n"
                            "secret: { a: {\n" KEYS " max_ttl = \"1m\";\n path = \"kms\"; } };\n");
    files_write("two.conf", "agent: { };\nsecret: { a: {\n" KEYS "} };\n");
    files[0] = files_path("one.conf");
    files[1] = files_path("two.conf");
    finding_count = 0;
    assert_int_equal(config_check(files, 2, keep, NULL, NULL), 6);
    assert_int_equal(finding_count, 6);
    assert_string_equal(findings[0],
                        files_expand("~/two.conf:1: the agent section is in ~/one.conf already"));
    assert_string_equal(
        findings[1],
        files_expand("~/one.conf:1: unknown option \"iam_rat\" in the agent section (did "
                     "you mean \"iam_rate\"?)"));
    assert_string_equal(
        findings[2],
        files_expand("~/one.conf:1: agent: socket_mode: wants octal digits in quotes (\"0660\")"));
    assert_string_equal(
        findings[3],
        files_expand("~/one.conf:7: secret \"a\": path: \"kms\" is not an IAM path: \"/\", "
                     "or printable ASCII without blanks between two \"/\", at most 512 "
                     "characters"));
    assert_string_equal(
        findings[4],
        files_expand(
            "~/one.conf:6: secret \"a\": max_ttl: default_ttl (1h) is above max_ttl (1m)"));
    assert_non_null(strstr(findings[5], "secret \"a\" is there twice"));
    assert_int_equal(config_check(&files[1], 1, NULL, NULL, NULL), 0);
}

static void load_tells_the_first_and_how_many(void **state)
{
    struct config *config = NULL;
    struct err err = {0};

    (void)state;
    files_write("agent.conf", "agent: { a = 1; b = 2; c = 3; };");
    assert_int_equal(config_load(files_path("agent.conf"), &config, &err), KMS_ECONFIG);
    assert_string_equal(err.message,
                        files_expand("~/agent.conf:1: unknown option \"a\" in the agent section"));
    assert_string_equal(err.hint, "2 more findings: kms-agentd --check names them all");
}

static void warnings(void **state)
{
    struct config *config;

    (void)state;
    files_write("agent.conf", AGENT
                "secret: { users: { allow = \"user:0\";" KEYS "};\n"
                " sessions: { allow = \"user:0\"; credential_type = \"temporary-credentials\";" KEYS
                "};\n"
                " other: { allow = \"user:0\"; credential_type = \"temporary-credentials\";"
                " access_key_id = \"env:OTHER\"; secret_access_key = \"env:KEY\"; region = "
                "\"eu-west-1\"; }; };");
    config = load_good();
    assert_int_equal(config->warnings.count, 1);
    assert_string_equal(config->warnings.items[0],
                        "secret \"sessions\": its temporary credentials inherit the reach of its "
                        "key, which also manages "
                        "secret \"users\"");
    config_unref(config);
}

/* A region may be new; a typo is guessed. */
static void unknown_regions_are_told(void **state)
{
    static const struct {
        const char *region, *warning; /* NULL: none */
    } rows[] = {
        {"eu-wset-1",
         "secret \"s\": region \"eu-wset-1\" is not known to this version (did you mean "
         "\"eu-west-1\"?)"},
        {"cn-northwset-1",
         "secret \"s\": region \"cn-northwset-1\" is not known to this version (did you "
         "mean \"cn-northwest-1\"?)"},
        {"us-foo-99", "secret \"s\": region \"us-foo-99\" is not known to this version"},
        {"us-gov-west-1", NULL},
        {"ap-southeast-7", NULL},
        {"eusc-de-east-1", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *config;
        char text[512];

        snprintf(text, sizeof(text),
                 AGENT "secret: { s: { allow = \"user:0\"; access_key_id = \"env:A\"; "
                       "secret_access_key = \"env:B\"; region = \"%s\"; }; };",
                 rows[i].region);
        files_write("agent.conf", text);
        config = load_good();
        assert_int_equal(config->warnings.count, rows[i].warning != NULL);
        if (rows[i].warning != NULL)
            assert_string_equal(config->warnings.items[0], rows[i].warning);
        config_unref(config);
    }
}

/* What --check says although all is well. */
static void check_tells_warnings(void **state)
{
    const char *file;

    (void)state;
    files_write("agent.conf", AGENT "secret: { s: { " KEYS "}; };");
    file = files_path("agent.conf");
    finding_count = 0;
    assert_int_equal(config_check(&file, 1, NULL, keep, NULL), 0);
    assert_int_equal(finding_count, 1);
    assert_string_equal(findings[0], "secret \"s\": allow is empty, nobody may have it");
}

/* A secret with count managed policies. */
static void write_policies(size_t count)
{
    char text[4096];
    size_t n = (size_t)snprintf(
        text, sizeof(text), AGENT "secret: { users: { allow = \"user:0\";" KEYS "policy_arns = [");

    for (size_t i = 0; i < count; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"arn:aws:iam::aws:policy/P%zu\"",
                              i > 0 ? ", " : "", i);
    snprintf(text + n, sizeof(text) - n, "]; }; };");
    files_write("agent.conf", text);
}

static void quota_of_managed_policies(void **state)
{
    struct config *config;
    struct err err = {0};

    (void)state;
    write_policies(10);
    config = load_good();
    assert_int_equal(config->warnings.count, 0);
    config_unref(config);
    write_policies(20);
    config = load_good();
    assert_int_equal(config->warnings.count, 1);
    assert_string_equal(
        config->warnings.items[0],
        "secret \"users\": 20 policy_arns: AWS's quota is 10 managed policies for a "
        "user, unless it was raised on request (up to 20)");
    config_unref(config);
    write_policies(21);
    assert_int_equal(config_load(files_path("agent.conf"), &config, &err), KMS_ECONFIG);
    assert_non_null(strstr(err.message,
                           "policy_arns: has 21 elements, at most 20 are possible: AWS attaches 10 "
                           "managed policies to a user, on request up to 20"));
}

static void agent_id_from_the_machine(void **state)
{
    char id[MACHINE_AGENT_ID_SIZE], other[MACHINE_AGENT_ID_SIZE];
    struct err err;

    (void)state;
    files_write("machine-id", "0123456789abcdef0123456789abcdef\n");
    assert_int_equal(machine_agent_id(files_path("machine-id"), id, &err), 0);
    /* printf kms-agent:0123456789abcdef0123456789abcdef | sha256sum */
    assert_string_equal(id, "host-0325366843225ebb");
    assert_null(strstr(id, "0123456789abcdef"));
    files_write("machine-id", "1123456789abcdef0123456789abcdef\n");
    assert_int_equal(machine_agent_id(files_path("machine-id"), other, &err), 0);
    assert_string_not_equal(id, other);
    files_write("machine-id", "uninitialized\n");
    assert_int_equal(machine_agent_id(files_path("machine-id"), id, &err), KMS_ECONFIG);
    assert_int_equal(machine_agent_id(files_path("none"), id, &err), KMS_ECONFIG);
    assert_string_equal(
        err.message,
        files_expand("agent_id is not set and ~/none holds no machine id to derive it from"));
}

/* 1000 secrets must load in under 200 ms; sanitizers slow it down, so the limit here is generous.
 */
static void thousand_secrets(void **state)
{
    size_t size = 1 << 20, len = 0;
    char *text = malloc(size);
    struct timespec start, end;
    struct config *config;
    double ms;

    (void)state;
    len += (size_t)snprintf(text, size, AGENT "secret: {\n");
    for (int i = 0; i < 1000; i++)
        len += (size_t)snprintf(
            text + len, size - len,
            "s%d: { allow = \"user:root, group:root\"; tags = \"a=b,c=d\"; groups = \"x,y\";\n" KEYS
            "  policy_arns = \"arn:aws:iam::aws:policy/ReadOnlyAccess\"; };\n",
            i);
    len += (size_t)snprintf(text + len, size - len, "};\n");
    files_write_bytes("agent.conf", text, len);
    free(text);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    config = load_good();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(config->secret_count, 1000);
    config_unref(config);
    ms = (double)(end.tv_sec - start.tv_sec) * 1e3 + (double)(end.tv_nsec - start.tv_nsec) / 1e6;
    print_message("1000 secrets: %.0f ms\n", ms);
    assert_true(ms < 2000);
}

int main(void)
{
#define FILES_TEST(test) cmocka_unit_test_setup_teardown(test, files_setup, files_teardown)
    const struct CMUnitTest tests[] = {
        FILES_TEST(whole_agent_section),
        FILES_TEST(defaults),
        FILES_TEST(whole_secret_section),
        FILES_TEST(print_round_trips),
        FILES_TEST(digest_follows_what_shapes),
        FILES_TEST(grant_follows_permissions),
        FILES_TEST(inherited_from_the_agent_section),
        FILES_TEST(drop_ins_in_byte_order),
        FILES_TEST(references_are_counted),
        FILES_TEST(syntax),
        FILES_TEST(large_numbers_where_none_is),
        FILES_TEST(size_and_bytes),
        FILES_TEST(ownership),
        FILES_TEST(ownership_behind_links),
        FILES_TEST(ownership_of_another_user),
        FILES_TEST(at_files_follow_the_rule),
        FILES_TEST(missing_file),
        FILES_TEST(check_names_every_finding),
        FILES_TEST(load_tells_the_first_and_how_many),
        FILES_TEST(warnings),
        FILES_TEST(unknown_regions_are_told),
        FILES_TEST(check_tells_warnings),
        FILES_TEST(quota_of_managed_policies),
        FILES_TEST(agent_id_from_the_machine),
        FILES_TEST(thousand_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
