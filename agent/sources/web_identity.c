/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/source.h"

#include "aws/sts.h"

int source_web_identity_fetch(const struct source_fetch *fetch, const char *role_arn,
                              const char *token_file, const char *session_name,
                              struct aws_credential *ret, struct err *err)
{
    SECRET_CLEANUP struct secret token = {0};
    struct aws_target target = {.http = fetch->http, .recipe = fetch->recipe};
    struct sts_session_request request = {
        .role_arn = role_arn,
        .session_name = session_name,
        .duration_s = SOURCE_SESSION_S,
    };
    char arn[AWS_ARN_MAX + 1];
    struct aws_result result;
    /* Read at each call: the kubelet replaces it. */
    int rc = source_read_file(token_file, SOURCE_TOKEN_FILE_MAX, false, token_file, &token, err);

    if (rc != 0) {
        err_context(err, "web identity token");
        return rc;
    }
    request.web_identity_token = secret_text(&token);
    return sts_assume_role_with_web_identity(&target, &request, ret, arn, &result, err);
}
