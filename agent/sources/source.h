/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: the environment as it was at start, and one function per
 * kind of source. Worker threads unless said otherwise; all waits bounded. Every fetch answers 0,
 * KMS_ESOURCE with one sentence that names the reference but never the value, KMS_EAWSDOWN when a
 * service did not answer, or the AWS error. */
#ifndef KMS_AGENT_SOURCES_SOURCE_H
#define KMS_AGENT_SOURCES_SOURCE_H

#include "sources/chain.h"

#include <pthread.h>

#define SOURCE_FILE_MAX 4096        /* bytes of a key file */
#define SOURCE_TOKEN_FILE_MAX 20000 /* bytes of a token file; STS takes no longer ones */
#define SOURCE_SESSION_NAME "kms-agent"
#define SOURCE_SESSION_S                                                                           \
    3600                  /* what every role allows, also to a caller that is itself a session */
#define SOURCE_ENV_MAX 64 /* distinct env:NAME references */

struct source_env_value {
    char name[RECIPE_REF_MAX + 1];
    struct secret value;
};

/* Read once by source_environment_init(); only `taken` changes afterwards, under the lock. */
struct source_environment {
    char *credentials_directory;
    char *web_identity_token_file, *role_arn, *role_session_name;
    char *container_relative_uri, *container_full_uri, *container_token_file;
    struct secret container_token;
    char *imds_endpoint, *imds_endpoint_mode;
    bool imds_disabled, irsa_enabled;
    struct secret dynamic_id,
        dynamic_secret; /* DYNAMIC_SECRET_AWS_ACCESS_KEY_ID, …_SECRET_ACCESS_KEY */
    pthread_mutex_t lock;
    struct source_env_value taken[SOURCE_ENV_MAX];
    size_t taken_count;
};

/* One fetch under way. */
struct source_fetch {
    const struct source_environment *environment;
    struct http_client *http;
    const struct recipe *recipe;
};

/* Main thread, before others start. */
int source_environment_init(struct source_environment *environment, struct err *err) KMS_MUST_CHECK;
void source_environment_done(struct source_environment *environment);
/* The value of an environment variable; the first time it is taken over and overwritten in the
 * environment. */
int source_environment_take(struct source_environment *environment, const char *name,
                            struct secret *ret, struct err *err) KMS_MUST_CHECK;

/* A regular file of at most max bytes, trailing newline cut, nothing but printable text.
 * private_file: owned by root or the agent's user, not readable by group or others. what names it
 * in errors. */
int source_read_file(const char *path, size_t max, bool private_file, const char *what,
                     struct secret *ret, struct err *err) KMS_MUST_CHECK;
/* All bytes, whatever they are, of the service credential called name (LoadCredential=). */
int source_read_credential_bytes(const struct source_environment *environment, const char *name,
                                 struct secret *ret, struct err *err) KMS_MUST_CHECK;
/* The id of the recipe's own access key (reference or literal). */
int source_static_key_id(struct source_environment *environment, const struct recipe *recipe,
                         char ret[AWS_KEY_ID_MAX + 1], struct err *err) KMS_MUST_CHECK;
/* Resolves "credential:NAME", "file:/PATH" or "env:NAME". */
int source_read_reference(struct source_environment *environment, const char *reference,
                          struct secret *ret, struct err *err) KMS_MUST_CHECK;
/* The recipe's own access key: id (reference or literal) and secret (reference). */
int source_static_key(struct source_environment *environment, const struct recipe *recipe,
                      struct aws_credential *ret, struct err *err) KMS_MUST_CHECK;

/* AssumeRoleWithWebIdentity with the token in token_file. */
int source_web_identity_fetch(const struct source_fetch *fetch, const char *role_arn,
                              const char *token_file, const char *session_name,
                              struct aws_credential *ret, struct err *err) KMS_MUST_CHECK;
/* Container credentials: ECS (relative or full URI) and EKS Pod Identity. */
int source_container_fetch(const struct source_fetch *fetch, struct aws_credential *ret,
                           struct err *err) KMS_MUST_CHECK;
/* The instance profile by IMDSv2; never falls back to version 1. */
int source_imds_fetch(const struct source_fetch *fetch, struct aws_credential *ret,
                      struct err *err) KMS_MUST_CHECK;

/* A request of one of them. 0: status 200, and the answer in *ret; KMS_EAWSDOWN: no answer, or one
 * that another may follow (429, 5xx); KMS_ESOURCE: refused, or not allowed to be asked; KMS_ENOMEM,
 * KMS_ECANCELED. http_response_done() *ret in any case. */
int source_ask(const struct source_fetch *fetch, const struct http_request *request,
               const char *what, struct http_response *ret, struct err *err) KMS_MUST_CHECK;
/* The JSON document of both of them. what names its origin in errors. */
int source_json_credential(const char *text, size_t len, const char *what,
                           struct aws_credential *ret, struct err *err) KMS_MUST_CHECK;
/* The payload of a web identity token: iss, sub, aud (the first). 0 or -1. */
int source_json_claims(const char *text, size_t len, struct web_identity_claims *ret);
/* Gives jansson an allocator that wipes. Main thread, before others start. */
void source_json_init(void);

#endif
