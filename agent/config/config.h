/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as the agent uses it: an immutable, reference-counted snapshot. config_load() reads files and
 * resolves names through NSS, so it runs at start or on a worker, never on the loop; a loaded snapshot may be read
 * from every thread that holds a reference. */
#ifndef KMS_AGENT_CONFIG_CONFIG_H
#define KMS_AGENT_CONFIG_CONFIG_H

#include "common/err.h"
#include "model/recipe.h"
#include "policy/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_DEFAULT_FILE "/etc/kms-agent/agent.conf"

enum share_mode { SHARE_NONE, SHARE_UID };

struct string_list {
    char **items;  /* each NUL-terminated */
    size_t count;
};

struct tag {
    char *key, *value;
};

struct secret_config {
    char name[SECRET_NAME_MAX + 1];
    struct recipe recipe;               /* frozen into each lease */
    struct rule_list allow;
    /* IAM users */
    char *permissions_boundary;         /* ARN or NULL */
    struct string_list groups, policy_arns;
    struct string_list policy_documents; /* minified JSON */
    struct tag *tags;
    size_t tag_count;
    char *username_template;            /* never NULL */
    int64_t ready_timeout_ms;           /* 0: no probe */
    /* sessions */
    char *session_name_template;        /* never NULL */
    struct tag *session_tags;
    size_t session_tag_count;
    char *session_policy_document;      /* minified JSON or NULL */
    struct string_list session_policy_arns;
    int64_t max_session_duration_s;     /* 0 = default cap */
    bool allow_longer;
    enum share_mode share;
    /* both */
    uint32_t max_leases;                /* live leases of this secret */
    char source_file[256];              /* where it was defined */
    int source_line;
    char digest[65];                    /* SHA-256 hex over all of the above that shapes a credential */
};

struct agent_config {
    char *socket, *state_directory, *agent_id, *project_id;
    struct rule_list admins;
    double iam_rate, sts_rate;          /* requests a second, burst twice that */
    uint32_t socket_mode;
    uint32_t socket_gid;                /* UINT32_MAX: unchanged */
    uint64_t map_size;                  /* bytes */
    int64_t audit_retention_s;
    bool allow_volatile_store;
    uint32_t max_connections, max_connections_per_uid, max_leases_per_uid;
    double mint_rate_per_uid;           /* IAM-user mints a second for one uid, burst ten times that */
    char *iam_endpoint, *sts_endpoint, *imds_endpoint, *ca_file;  /* defaults of every secret (already in them), or NULL */
};

struct config {
    struct agent_config agent;
    struct secret_config *secrets;      /* sorted by name */
    size_t secret_count;
    struct string_list warnings;        /* one sentence each, to be logged once */
    unsigned refs;                      /* atomic, private to config/ */
};

/* Reads file and the drop-ins secrets.d/ *.conf beside it (in byte order), checks ownership, schema and AWS's rules,
 * resolves names. 0 with one reference in *ret, or KMS_ECONFIG with "file:line: reason" (first finding). */
int config_load(const char *file, struct config **ret, struct err *err) KMS_MUST_CHECK;
/* Checks files alone, as `--check FILE…` does: every finding is handed to report ("file:line: reason"); answers how many.
 * Without any, the warnings are handed to warn (may be NULL). */
size_t config_check(const char *const *files, size_t count, void (*report)(const char *finding, void *arg),
                    void (*warn)(const char *warning, void *arg), void *arg);
/* Prints the effective configuration or, for file NULL, the schema with defaults and help, to stdout; 0 or KMS_ECONFIG. */
int config_print(const struct config *config);
struct config *config_ref(struct config *config);
void config_unref(struct config *config);
/* NULL if there is no such secret; valid while the reference is held. */
const struct secret_config *config_secret(const struct config *config, const char *name);

#endif
