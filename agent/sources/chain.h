/* SPDX-License-Identifier: Apache-2.0 */
/* Management credentials of a recipe: where they come from, cached and refreshed. Worker threads
 * (blocking). */
#ifndef KMS_AGENT_SOURCES_CHAIN_H
#define KMS_AGENT_SOURCES_CHAIN_H

#include "aws/credential.h"
#include "aws/http.h"
#include "common/err.h"
#include "model/recipe.h"

#include <stdbool.h>

struct sources;

/* Takes DYNAMIC_SECRET_AWS_* from the environment (overwriting the initial strings), remembers
 * CREDENTIALS_DIRECTORY and the AWS_* variables of the ambient chain. project_id is the default
 * external id. Main thread. */
int sources_new(const char *project_id, struct sources **ret, struct err *err) KMS_MUST_CHECK;
void sources_free(struct sources *sources);

/* What the credential is for. */
enum source_use {
    SOURCE_BASE, /* base credentials: sign AssumeRole or GetSessionToken with them */
    SOURCE_IAM,  /* management of IAM users: for assume-role and irsa the role's session (900 s or
                    more left) */
};
/* A copy in *ret (aws_credential_done() it). KMS_ESOURCE with one sentence saying what is missing,
 * or the AWS error. force: do not use the cache (the last one was refused). account_id is filled
 * once known. */
int source_get(struct sources *sources, struct http_client *http, const struct recipe *recipe,
               enum source_use use, bool force, struct aws_credential *ret,
               struct err *err) KMS_MUST_CHECK;
/* The web identity token of an irsa recipe, read anew from its file (it rotates). KMS_ESOURCE. */
int source_web_identity_token(struct sources *sources, const struct recipe *recipe,
                              struct secret *ret, struct err *err) KMS_MUST_CHECK;
/* The web identity token of an irsa secret, read anew (it rotates), in *ret (secret_done() it).
 * KMS_ESOURCE when there is none or KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN is not "true". */
int source_web_identity_token(struct sources *sources, const struct recipe *recipe,
                              struct secret *ret, struct err *err) KMS_MUST_CHECK;
/* What the token of an irsa recipe says of itself (nothing of it is checked here). "" for what it
 * does not say. KMS_ESOURCE. */
struct web_identity_claims {
    char issuer[512], subject[512], audience[256];
};
int source_web_identity_claims(struct sources *sources, const struct recipe *recipe,
                               struct web_identity_claims *ret, struct err *err) KMS_MUST_CHECK;
/* Takes the values of the recipe's "env:NAME" references now and overwrites them in the
 * environment, so that they do not stay readable in /proc/PID/environ until first use. Main thread,
 * at start, once per secret; true if there were any. */
bool source_take_env(struct sources *sources, const struct recipe *recipe);
/* Of the secret's own access key: the id that the configuration names (whatever has taken its
 * place). KMS_EINVALID when the secret has no key of its own, KMS_ESOURCE when it cannot be read.
 */
int source_own_key_id(struct sources *sources, const struct recipe *recipe,
                      char ret[AWS_KEY_ID_MAX + 1], struct err *err) KMS_MUST_CHECK;
/* From now on `by` is handed out wherever the configuration names the access key configured_id. by
 * NULL: nothing is, and fault says why. 0 or KMS_ENOMEM. Any thread, as the next one. */
int source_replace_key(struct sources *sources, const char *configured_id,
                       const struct aws_credential *by, const struct err *fault,
                       struct err *err) KMS_MUST_CHECK;
/* The key that the configuration names is handed out again. */
void source_restore_key(struct sources *sources, const char *configured_id);
/* The operator's key that secrets are sealed with at rest (the service credential kms-seal-key), in
 * *ret (secret_done() it). KMS_ESOURCE. Workers, or the main thread at start. */
int source_seal_key(struct sources *sources, struct secret *ret, struct err *err) KMS_MUST_CHECK;
/* Remembers the account of a management key (from CreateUser, AssumeRole or GetCallerIdentity
 * answers). */
void source_set_account(struct sources *sources, const char *access_key_id, const char *account_id);

#endif
