/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#include "config/config.h"
#include "config/suggest.h"
#include "config/validate_aws.h"
#include "config/validate_text.h"
#include "model/ttl.h"

#include <string.h>

#define PAIRS_OF(method)                                                                           \
    (OPTION_PAIR(method, CREDENTIAL_IAM_USER) | OPTION_PAIR(method, CREDENTIAL_SESSION))
#define ANY (PAIRS_OF(SECRET_ACCESS_KEY) | PAIRS_OF(SECRET_ASSUME_ROLE) | PAIRS_OF(SECRET_IRSA))
#define KEYED (PAIRS_OF(SECRET_ACCESS_KEY) | PAIRS_OF(SECRET_ASSUME_ROLE))
#define ROLES (PAIRS_OF(SECRET_ASSUME_ROLE) | PAIRS_OF(SECRET_IRSA))
#define USERS                                                                                      \
    (OPTION_PAIR(SECRET_ACCESS_KEY, CREDENTIAL_IAM_USER) |                                         \
     OPTION_PAIR(SECRET_ASSUME_ROLE, CREDENTIAL_IAM_USER) |                                        \
     OPTION_PAIR(SECRET_IRSA, CREDENTIAL_IAM_USER))
#define ROLE_SESSIONS                                                                              \
    (OPTION_PAIR(SECRET_ASSUME_ROLE, CREDENTIAL_SESSION) |                                         \
     OPTION_PAIR(SECRET_IRSA, CREDENTIAL_SESSION))

#define AGENT(option_name, option_type, field)                                                     \
    .section = SECTION_AGENT, .name = option_name, .type = option_type,                            \
    .offset = offsetof(struct agent_config, field)
#define SECRET(option_name, option_type, field)                                                    \
    .section = SECTION_SECRET, .name = option_name, .type = option_type,                           \
    .offset = offsetof(struct secret_config, field),                                               \
    .size = sizeof(((struct secret_config *)NULL)->field)

#define YEARS_10_S 315360000.0

/* clang-format off */
const struct option schema_options[] = {
    {AGENT("socket", OPTION_STRING, socket), .default_text = "/run/kms-agent/agent.sock", .check = check_socket_path,
     .help = "Path of the socket that clients connect to."},
    {AGENT("state_directory", OPTION_STRING, state_directory), .default_text = "/var/lib/kms-agent", .check = check_absolute_path,
     .help = "Directory of the lease store, mode 0700. A local file system that survives a reboot."},
    {AGENT("agent_id", OPTION_STRING, agent_id), .default_note = "derived from /etc/machine-id", .check = check_agent_id,
     .help = "Name of this agent, written to each IAM user it makes (tag kms-agent-id). Set it in pods, where the "
             "machine id is not lasting."},
    {AGENT("project_id", OPTION_STRING, project_id), .check = check_external_id,
     .help = "Default of external_id."},
    {AGENT("admins", OPTION_RULES, admins), .default_note = "root only",
     .help = "Who may see and revoke every lease, reload and sweep: \"user:NAME\", \"group:NAME\", \"unit:NAME\". "
             "Gives no right to a credential."},
    {AGENT("iam_rate", OPTION_FLOAT, iam_rate), .default_text = "5.0", .min = 0.1, .max = 100000,
     .help = "IAM requests a second; bursts of twice that."},
    {AGENT("sts_rate", OPTION_FLOAT, sts_rate), .default_text = "50.0", .min = 0.1, .max = 100000,
     .help = "STS requests a second; bursts of twice that."},
    {AGENT("socket_mode", OPTION_MODE, socket_mode), .default_text = "0660", .min = 0, .max = 0777,
     .help = "Mode of the socket when the agent binds it itself."},
    {AGENT("socket_group", OPTION_GROUP, socket_gid), .default_note = "unchanged",
     .help = "Group of the socket when the agent binds it itself."},
    {AGENT("map_size", OPTION_SIZE, map_size), .default_text = "16G", .min = 1048576, .max = 17592186044416.0,
     .help = "Largest size of the lease store. Address space, not disk."},
    {AGENT("audit_retention", OPTION_SECONDS, audit_retention_s), .default_text = "90d", .min = 3600,
     .max = YEARS_10_S, .help = "How long audit lines are kept."},
    {AGENT("allow_volatile_store", OPTION_BOOL, allow_volatile_store), .default_text = "false",
     .help = "Issue IAM users although state_directory is on a file system that a reboot empties (tests)."},
    {AGENT("max_connections", OPTION_UINT, max_connections), .default_text = "1024", .min = 1, .max = 65536,
     .help = "Connections in all."},
    {AGENT("max_connections_per_uid", OPTION_UINT, max_connections_per_uid), .default_text = "64", .min = 1, .max = 65536,
     .help = "Connections of one uid."},
    {AGENT("max_leases_per_uid", OPTION_UINT, max_leases_per_uid), .default_text = "256", .min = 1, .max = 10000000,
     .help = "Live leases of one uid."},
    {AGENT("mint_rate_per_uid", OPTION_FLOAT, mint_rate_per_uid), .default_text = "10.0", .min = 0.01, .max = 100000,
     .help = "IAM users a second made for one uid; bursts of ten times that."},
    {AGENT("iam_endpoint", OPTION_STRING, iam_endpoint), .check = check_endpoint, .default_note = "the region's",
     .help = "Default of iam_endpoint for every secret."},
    {AGENT("sts_endpoint", OPTION_STRING, sts_endpoint), .check = check_endpoint, .default_note = "the region's",
     .help = "Default of sts_endpoint for every secret."},
    {AGENT("imds_endpoint", OPTION_STRING, imds_endpoint), .check = check_endpoint, .default_note = "http://169.254.169.254",
     .help = "Default of imds_endpoint for every secret."},
    {AGENT("ca_file", OPTION_STRING, ca_file), .check = check_absolute_path, .default_note = "the system's",
     .help = "Default of ca_file for every secret."},

    {SECRET("method", OPTION_METHOD, recipe.method), .default_text = "access-key", .applies = ANY, .shapes = true,
     .help = "Where the right to mint comes from: access-key (a key of an IAM user), assume-role (a role, from a key "
             "or from the machine's own credentials) or irsa (a role for a Kubernetes service account)."},
    {SECRET("credential_type", OPTION_CREDENTIAL, recipe.type), .default_text = "iam-user", .applies = ANY,
     .shapes = true,
     .help = "What a lease is: iam-user (a new IAM user with an access key, deleted at the end) or "
             "temporary-credentials (an STS session)."},
    {SECRET("access_key_id", OPTION_TEXT, recipe.access_key_id), .applies = KEYED, .shapes = true,
     .secretive = true, .check = check_access_key_id,
     .help = "The management key: \"AKIA…\", \"credential:NAME\" (a systemd credential), \"file:/PATH\" or "
             "\"env:NAME\". assume-role may leave it out."},
    {SECRET("secret_access_key", OPTION_TEXT, recipe.secret_access_key), .applies = KEYED, .shapes = true,
     .secretive = true, .check = check_secret_reference,
     .help = "Where its secret is: \"credential:NAME\", \"file:/PATH\" or \"env:NAME\", never the secret itself."},
    {SECRET("role_arn", OPTION_TEXT, recipe.role_arn), .applies = ROLES, .shapes = true, .check = check_role_arn,
     .default_note = "irsa: $AWS_ROLE_ARN",
     .help = "The role to assume."},
    {SECRET("external_id", OPTION_TEXT, recipe.external_id), .applies = PAIRS_OF(SECRET_ASSUME_ROLE), .shapes = true,
     .check = check_external_id, .default_note = "project_id of the agent section",
     .help = "External id sent with AssumeRole."},
    {SECRET("web_identity_token_file", OPTION_TEXT, recipe.web_identity_token_file), .applies = PAIRS_OF(SECRET_IRSA),
     .shapes = true, .check = check_absolute_path, .default_note = "$AWS_WEB_IDENTITY_TOKEN_FILE",
     .help = "The service account's token; read again at each call."},
    {SECRET("region", OPTION_TEXT, recipe.region), .applies = ANY, .shapes = true, .check = check_region,
     .default_note = "none, it must be given",
     .help = "AWS region: the STS endpoint, and the partition of IAM."},
    {SECRET("default_ttl", OPTION_SECONDS, recipe.default_ttl_s), .default_text = "1h", .min = TTL_MIN_S,
     .max = YEARS_10_S, .applies = ANY, .shapes = true,
     .help = "How long a lease lives unless the request says otherwise."},
    {SECRET("max_ttl", OPTION_SECONDS, recipe.max_ttl_s), .default_text = "24h", .min = TTL_MIN_S, .max = YEARS_10_S,
     .applies = ANY, .shapes = true,
     .help = "The longest a lease may live, renewals included."},
    {SECRET("allow", OPTION_RULES, allow), .applies = ANY, .default_note = "nobody",
     .help = "Who may have leases: \"user:NAME\", \"group:NAME\", \"unit:NAME.service\"; numbers stand for ids. "
             "A peer that no rule matches is refused, root too."},
    {SECRET("path", OPTION_TEXT, recipe.path), .default_text = "/kms/", .applies = USERS, .shapes = true,
     .check = check_iam_path,
     .help = "IAM path of the users made."},
    {SECRET("permissions_boundary", OPTION_STRING, permissions_boundary), .applies = USERS, .shapes = true,
     .check = check_policy_arn,
     .help = "ARN of the managed policy set as the users' permissions boundary."},
    {SECRET("groups", OPTION_LIST, groups), .max = 10, .max_why = "AWS takes a user into 10 groups", .any_case = true,
     .applies = USERS, .shapes = true, .check = check_iam_name,
     .help = "IAM groups the users join; AWS's quota is 10."},
    {SECRET("policy_arns", OPTION_LIST, policy_arns), .max = 20,
     .max_why = "AWS attaches 10 managed policies to a user, on request up to 20", .applies = USERS, .shapes = true,
     .check = check_policy_arn,
     .help = "Managed policies attached to the users. AWS's quota is 10, on request up to 20."},
    {SECRET("policy_documents", OPTION_DOCUMENTS, policy_documents), .max = 20, .applies = USERS, .shapes = true,
     .help = "Inline policies of the users, each JSON or \"@FILE\". With the fence they share AWS's 2048 characters. "
             "What AWS would refuse as malformed is refused at load."},
    {SECRET("tags", OPTION_TAGS, tags), .count_offset = offsetof(struct secret_config, tag_count), .max = 47,
     .max_why = "AWS takes 50, and three are the agent's", .applies = USERS, .shapes = true, .check = check_tag,
     .help = "Tags of the users, \"key=value\", split at the first \"=\". Three of AWS's 50 are the agent's."},
    {SECRET("username_template", OPTION_STRING, username_template), .default_text = "kms-{secret}-{lease}",
     .applies = USERS, .shapes = true, .check = check_user_template,
     .help = "Name of the users. {lease} (32 hex digits) is mandatory; {secret} is cut to fit 64 characters; "
             "{uid} and {pid} are the peer's."},
    {SECRET("deny_role_hop", OPTION_BOOL, recipe.deny_role_hop), .default_text = "false", .applies = USERS,
     .shapes = true,
     .help = "The fence also denies sts:AssumeRole, so that no role session can outlive the lease."},
    {SECRET("ready_timeout", OPTION_MS, ready_timeout_ms), .default_text = "30s", .min = 0, .max = 300000,
     .applies = USERS,
     .help = "How long to wait until AWS accepts a new key (at most half the TTL); 0 does not wait."},
    {SECRET("session_name_template", OPTION_STRING, session_name_template), .default_text = "kms-{secret}-{uid}",
     .applies = ROLE_SESSIONS, .shapes = true, .check = check_session_template,
     .help = "Name of the role session."},
    {SECRET("session_tags", OPTION_TAGS, session_tags),
     .count_offset = offsetof(struct secret_config, session_tag_count), .max = 50,
     .max_why = "AWS takes no more",
     .applies = OPTION_PAIR(SECRET_ASSUME_ROLE, CREDENTIAL_SESSION), .shapes = true, .check = check_tag,
     .help = "Session tags, \"key=value\"."},
    {SECRET("session_policy_document", OPTION_DOCUMENT, session_policy_document), .applies = ROLE_SESSIONS,
     .shapes = true,
     .help = "Session policy, JSON or \"@FILE\": the session may do what the role and this policy both allow."},
    {SECRET("session_policy_arns", OPTION_LIST, session_policy_arns), .max = 10, .max_why = "AWS takes no more",
     .applies = ROLE_SESSIONS,
     .shapes = true, .check = check_policy_arn,
     .help = "Managed policies as session policies."},
    {SECRET("max_session_duration", OPTION_SECONDS, max_session_duration_s), .min = STS_ASSUME_ROLE_MAX_S,
     .max = STS_SESSION_MAX_S, .applies = ROLE_SESSIONS, .shapes = true,
     .default_note = "1h for assume-role, 12h for irsa",
     .help = "The role's own maximum session duration, 1h to 12h."},
    {SECRET("share", OPTION_SHARE, share), .applies = ANY,
     .default_note = "uid for temporary-credentials, none for iam-user",
     .help = "uid: one session is handed to all requests of the same uid (and unit, where a unit rule allows it) "
             "that want the default TTL, while 20m of it, or half of a shorter one, are left; none: each request "
             "gets its own. IAM users are never shared."},
    {SECRET("max_leases", OPTION_UINT, max_leases), .default_text = "10000", .min = 1, .max = 10000000,
     .applies = ANY,
     .help = "Live leases of this secret."},
    {SECRET("allow_longer", OPTION_BOOL, allow_longer), .default_text = "false", .shapes = true,
     .applies = OPTION_PAIR(SECRET_ACCESS_KEY, CREDENTIAL_SESSION),
     .help = "Where AWS gives no session under 15m and none can be ended sooner (access-key with "
             "temporary-credentials): grant 15m instead of refusing."},
    {SECRET("iam_endpoint", OPTION_TEXT, recipe.iam_endpoint), .applies = ANY, .shapes = true,
     .check = check_endpoint, .default_note = "that of the agent section",
     .help = "URL of IAM. http only to loopback and the link-local metadata hosts."},
    {SECRET("sts_endpoint", OPTION_TEXT, recipe.sts_endpoint), .applies = ANY, .shapes = true,
     .check = check_endpoint, .default_note = "that of the agent section",
     .help = "URL of STS."},
    {SECRET("imds_endpoint", OPTION_TEXT, recipe.imds_endpoint), .applies = PAIRS_OF(SECRET_ASSUME_ROLE), .shapes = true,
     .check = check_endpoint, .default_note = "that of the agent section",
     .help = "URL of the instance metadata service."},
    {SECRET("ca_file", OPTION_TEXT, recipe.ca_file), .applies = ANY, .shapes = true,
     .check = check_absolute_path, .default_note = "that of the agent section",
     .help = "PEM file of the certificate authorities that may vouch for AWS. A changed file counts within a minute."},
};
/* clang-format on */
const size_t schema_option_count = sizeof(schema_options) / sizeof(schema_options[0]);

_Static_assert(sizeof(schema_options) / sizeof(schema_options[0]) <= SCHEMA_OPTION_MAX,
               "SCHEMA_OPTION_MAX is too small");

const struct option *schema_find(enum option_section section, const char *name)
{
    for (size_t i = 0; i < schema_option_count; i++)
        if (schema_options[i].section == section && strcmp(schema_options[i].name, name) == 0)
            return &schema_options[i];
    return NULL;
}

const char *schema_suggest(enum option_section section, const char *name)
{
    const char *best = NULL;
    size_t best_distance = strlen(name) / 3 + 1; /* more than a third wrong is no typo */

    for (size_t i = 0; i < schema_option_count; i++) {
        const struct option *option = &schema_options[i];
        size_t d = option->section == section ? suggest_distance(name, option->name) : SIZE_MAX;

        if (d < best_distance) {
            best_distance = d;
            best = option->name;
        }
    }
    return best;
}

const char *schema_type_name(enum option_type type)
{
    static const char *const names[] = {
        [OPTION_STRING] = "string",
        [OPTION_TEXT] = "string",
        [OPTION_LIST] = "list",
        [OPTION_SECONDS] = "duration",
        [OPTION_MS] = "duration",
        [OPTION_BOOL] = "true or false",
        [OPTION_UINT] = "whole number",
        [OPTION_FLOAT] = "number",
        [OPTION_SIZE] = "size",
        [OPTION_MODE] = "octal mode",
        [OPTION_GROUP] = "group",
        [OPTION_DOCUMENT] = "document",
        [OPTION_DOCUMENTS] = "documents",
        [OPTION_RULES] = "rules",
        [OPTION_TAGS] = "tags",
        [OPTION_METHOD] = "method",
        [OPTION_CREDENTIAL] = "credential type",
        [OPTION_SHARE] = "uid or none",
    };

    return names[type];
}
