/* SPDX-License-Identifier: Apache-2.0 */
#include "service/access.h"
#include "service/ops.h"
#include "service/root_round.h"

/* Administrators only (ops.def); being one gives no right to a credential, but the name of a secret
 * is theirs to know. */
void op_secret_rotate_root(struct request *request)
{
    const char *name = request->params.secret;
    const struct secret_config *secret = config_secret(request->config, name);
    struct err err = {0};

    if (secret != NULL) {
        root_round_rotate(request->service->root_round, request, secret);
        return;
    }
    err_set(&err, KMS_EINVALID, "there is no secret \"%s\"", name);
    request_fail(request, KMS_EINVALID, &err);
}
