/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/credential.h"

#include <string.h>

void aws_credential_done(struct aws_credential *credential)
{
    secret_done(&credential->secret_access_key);
    secret_done(&credential->session_token);
    memset(credential, 0, sizeof(*credential));
}

int aws_credential_copy(const struct aws_credential *from, struct aws_credential *ret)
{
    struct aws_credential copy = {.expires_ms = from->expires_ms};

    memcpy(copy.access_key_id, from->access_key_id, sizeof(copy.access_key_id));
    memcpy(copy.account_id, from->account_id, sizeof(copy.account_id));
    if (secret_copy(&from->secret_access_key, &copy.secret_access_key) != 0 ||
        secret_copy(&from->session_token, &copy.session_token) != 0) {
        aws_credential_done(&copy);
        return KMS_ENOMEM;
    }
    aws_credential_done(ret);
    *ret = copy;
    return 0;
}
