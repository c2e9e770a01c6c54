/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a secret that is frozen into each lease: all that renew and revoke need, so that a lease is
 * revoked as it was made whatever the configuration says later. Plain values, no pointers, no secrets. */
#ifndef KMS_AGENT_MODEL_RECIPE_H
#define KMS_AGENT_MODEL_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

enum secret_method { SECRET_ACCESS_KEY, SECRET_ASSUME_ROLE, SECRET_IRSA };
enum credential_type { CREDENTIAL_IAM_USER, CREDENTIAL_SESSION };

#define SECRET_NAME_MAX 64
#define IAM_USER_NAME_MAX 64
#define IAM_PATH_MAX 512
#define AWS_ARN_MAX 2048
#define AWS_KEY_ID_MAX 128
#define AWS_REGION_MAX 64
#define AWS_ACCOUNT_MAX 12
#define AWS_USER_ID_MAX 128
#define RECIPE_REF_MAX 512   /* "credential:NAME", "file:/PATH", "env:NAME" or a key id */
#define RECIPE_URL_MAX 512
#define EXTERNAL_ID_MAX 1224
#define RECIPE_GRANT_MAX 255
#define RECIPE_GRANT_NONE "none"

struct recipe {
    enum secret_method method;
    enum credential_type type;
    char access_key_id[RECIPE_REF_MAX + 1];      /* reference or literal id; empty: see method */
    char secret_access_key[RECIPE_REF_MAX + 1];  /* reference, never the value; empty: see method */
    char role_arn[AWS_ARN_MAX + 1];              /* assume-role, irsa */
    char external_id[EXTERNAL_ID_MAX + 1];       /* assume-role */
    char web_identity_token_file[RECIPE_REF_MAX + 1];
    char region[AWS_REGION_MAX + 1];             /* STS region, and partition for IAM */
    char path[IAM_PATH_MAX + 1];                 /* "/kms/" */
    char iam_endpoint[RECIPE_URL_MAX + 1];       /* override or empty */
    char sts_endpoint[RECIPE_URL_MAX + 1];
    char imds_endpoint[RECIPE_URL_MAX + 1];
    char ca_file[RECIPE_REF_MAX + 1];
    int64_t default_ttl_s, max_ttl_s;
    bool deny_role_hop;
    /* Digests of the options that decide what the credential may do, "groups:HEX policy_arns:HEX", or
     * RECIPE_GRANT_NONE where none of them is set. Empty: not known (records of earlier versions). */
    char grant[RECIPE_GRANT_MAX + 1];
};

/* The options whose digests are in recipe.grant, by name. */
extern const char *const recipe_grant_options[];
extern const unsigned recipe_grant_option_count;

/* Whether a lease made by `frozen` may be renewed under `today`: NULL, or the name of the first option that differs in
 * what the credential is, where it comes from or what it may do. How AWS is reached (endpoints, CA file, where the
 * secret of the same key is) and for how long may differ; the region only within its partition. What either says of
 * its permissions is compared only when both do. */
const char *recipe_difference(const struct recipe *frozen, const struct recipe *today);
/* Whether the management credentials come from the same place: method, key, role, token, instance metadata. */
bool recipe_same_source(const struct recipe *a, const struct recipe *b);
/* For revoking only: `frozen` with the management credentials of `today`. Between two roles the frozen role stays and
 * what it is assumed with is today's. Whose AWS is asked (endpoints, region, CA file) and the path stay frozen. False
 * when that is the same source, so that nothing would be won. */
bool recipe_stand_in(const struct recipe *frozen, const struct recipe *today, struct recipe *ret);
/* Where calls for the recipe's leases go, as numbers, never 0; equal for recipes that hang together:
 * all of it, so that one part hanging holds up no other way; IAM's endpoint; what gives the management credential. */
uint32_t recipe_way(const struct recipe *recipe);
uint32_t recipe_iam_way(const struct recipe *recipe);
uint32_t recipe_source_way(const struct recipe *recipe);
/* "access-key" …, "iam-user" …; never NULL. */
const char *secret_method_name(enum secret_method method);
const char *credential_type_name(enum credential_type type);
/* 0 or -1. */
int secret_method_parse(const char *text, enum secret_method *ret);
int credential_type_parse(const char *text, enum credential_type *ret);

#endif
