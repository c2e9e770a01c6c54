/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/source.h"

#include <stdio.h>
#include <string.h>

#define ECS_HOST "http://169.254.170.2"
#define TIMEOUT_MS 2000
#define ATTEMPTS 2
#define WHAT "the container credentials endpoint"

static int make_url(const struct source_environment *environment, char *url, size_t size,
                    struct err *err)
{
    const char *relative = environment->container_relative_uri;
    int n;

    if (relative != NULL && relative[0] != '/')
        return err_set(err, KMS_ESOURCE,
                       "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with \"/\"");
    n = relative != NULL ? snprintf(url, size, "%s%s", ECS_HOST, relative)
                         : snprintf(url, size, "%s", environment->container_full_uri);
    if (n < 0 || (size_t)n >= size)
        return err_set(err, KMS_ESOURCE, "the URI of " WHAT " is too long");
    return 0;
}

/* "Authorization: TOKEN" in wiping memory, NULL in *ret when there is no token. The file wins and
 * is read each time. */
static int make_authorization(const struct source_environment *environment, char **ret,
                              struct err *err)
{
    static const char name[] = "Authorization: ";
    SECRET_CLEANUP struct secret token = {0};
    const char *file = environment->container_token_file;
    int rc;

    if (file != NULL)
        rc = source_read_file(file, SOURCE_TOKEN_FILE_MAX, false, file, &token, err);
    else if ((rc = secret_copy(&environment->container_token, &token)) != 0)
        err_set(err, rc, "no locked memory left");
    if (rc != 0 || secret_empty(&token))
        return rc;
    *ret = wiping_malloc(sizeof(name) + token.len);
    if (*ret == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    memcpy(*ret, name, sizeof(name) - 1);
    memcpy(*ret + sizeof(name) - 1, token.bytes, token.len + 1);
    return 0;
}

static int ask(const struct source_fetch *fetch, const char *url, const char *authorization,
               struct aws_credential *ret, struct err *err)
{
    const char *headers[] = {"Accept: application/json", authorization, NULL};
    struct http_request request = {
        .method = "GET",
        .url = url,
        .headers = headers,
        .ca_file = fetch->recipe->ca_file,
        .connect_timeout_ms = TIMEOUT_MS,
        .total_timeout_ms = TIMEOUT_MS,
    };
    struct http_response response = {0};
    int rc = source_ask(fetch, &request, WHAT, &response, err);

    if (rc == 0)
        rc = source_json_credential(response.body != NULL ? response.body : "", response.body_len,
                                    WHAT, ret, err);
    http_response_done(&response);
    return rc;
}

int source_container_fetch(const struct source_fetch *fetch, struct aws_credential *ret,
                           struct err *err)
{
    char url[2048], *authorization = NULL;
    int rc = make_url(fetch->environment, url, sizeof(url), err);

    if (rc == 0)
        rc = make_authorization(fetch->environment, &authorization, err);
    if (rc != 0)
        return rc;
    for (int i = 0; i < ATTEMPTS; i++) {
        rc = ask(fetch, url, authorization, ret, err);
        if (rc != KMS_EAWSDOWN)
            break;
    }
    wiping_free(authorization);
    return rc;
}
