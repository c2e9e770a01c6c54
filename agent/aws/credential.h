/* SPDX-License-Identifier: Apache-2.0 */
/* AWS credentials in memory: management credentials and freshly minted ones. */
#ifndef KMS_AGENT_AWS_CREDENTIAL_H
#define KMS_AGENT_AWS_CREDENTIAL_H

#include "base/secret.h"
#include "model/recipe.h"

#include <stdint.h>

struct aws_credential {
    char access_key_id[AWS_KEY_ID_MAX + 1];
    struct secret secret_access_key;
    struct secret session_token;          /* empty for long-term keys */
    int64_t expires_ms;                   /* AWS time, 0 = never */
    char account_id[AWS_ACCOUNT_MAX + 1]; /* empty: unknown */
};

/* Wipes; fine on a zeroed one. */
void aws_credential_done(struct aws_credential *credential);
int aws_credential_copy(const struct aws_credential *from,
                        struct aws_credential *ret) KMS_MUST_CHECK;

#define AWS_CREDENTIAL_CLEANUP __attribute__((cleanup(aws_credential_done)))

#endif
