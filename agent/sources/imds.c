/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/source.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define IPV4_ENDPOINT "http://169.254.169.254"
#define IPV6_ENDPOINT "http://[fd00:ec2::254]"
#define ROLE_PATH "latest/meta-data/iam/security-credentials/"
#define TIMEOUT_MS 1000
#define TOKEN_MAX 1024
#define ROLE_MAX 128
#define WHAT "the instance metadata service"

static const char *endpoint_of(const struct source_fetch *fetch)
{
    const struct source_environment *environment = fetch->environment;

    if (fetch->recipe->imds_endpoint[0] != '\0')
        return fetch->recipe->imds_endpoint;
    if (environment->imds_endpoint != NULL)
        return environment->imds_endpoint;
    if (environment->imds_endpoint_mode != NULL &&
        strcasecmp(environment->imds_endpoint_mode, "IPv6") == 0)
        return IPV6_ENDPOINT;
    return IPV4_ENDPOINT;
}

static int ask(const struct source_fetch *fetch, const char *method, const char *path,
               const char *header, struct http_response *ret, struct err *err)
{
    const char *endpoint = endpoint_of(fetch), *headers[] = {header, NULL};
    size_t len = strlen(endpoint);
    char url[RECIPE_URL_MAX + 256];
    struct http_request request = {
        .method = method,
        .url = url,
        .headers = headers,
        .connect_timeout_ms = TIMEOUT_MS,
        .total_timeout_ms = TIMEOUT_MS,
    };
    int rc, n = snprintf(url, sizeof(url), "%s%s%s", endpoint,
                         len > 0 && endpoint[len - 1] == '/' ? "" : "/", path);

    if (n < 0 || (size_t)n >= sizeof(url))
        return err_set(err, KMS_ESOURCE, "the endpoint of " WHAT " is too long");
    rc = source_ask(fetch, &request, WHAT, ret, err);
    return rc != 0 && ret->status != 0 ? err_set(err, rc, WHAT " answered HTTP status %d to %s /%s",
                                                 ret->status, method, path)
                                       : rc;
}

/* The header that version 2 asks for, in wiping memory. */
static int make_token_header(const struct source_fetch *fetch, char **ret, struct err *err)
{
    static const char name[] = "X-aws-ec2-metadata-token: ";
    struct http_response response = {0};
    int rc = ask(fetch, "PUT", "latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 21600",
                 &response, err);

    if (rc == 0 && (response.body_len == 0 || response.body_len > TOKEN_MAX))
        rc = err_set(err, KMS_ESOURCE, WHAT " gave no session token");
    if (rc == 0 && (*ret = wiping_malloc(sizeof(name) + response.body_len)) == NULL)
        rc = err_set(err, KMS_ENOMEM, "out of memory");
    if (rc == 0) {
        memcpy(*ret, name, sizeof(name) - 1);
        memcpy(*ret + sizeof(name) - 1, response.body, response.body_len + 1);
    }
    http_response_done(&response);
    return rc;
}

/* The first line of the list of roles; it becomes part of a path. */
static int read_role(const struct source_fetch *fetch, const char *token, char role[ROLE_MAX + 1],
                     struct err *err)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-";
    struct http_response response = {0};
    int rc = ask(fetch, "GET", ROLE_PATH, token, &response, err);

    if (rc == 0) {
        const char *body = response.body != NULL ? response.body : "";
        size_t len = strspn(body, allowed);

        if (len == 0 || len > ROLE_MAX || strchr("\r\n", body[len]) == NULL)
            rc = err_set(err, KMS_ESOURCE, WHAT " names no role: the instance has no profile");
        else
            snprintf(role, ROLE_MAX + 1, "%.*s", (int)len, body);
    }
    http_response_done(&response);
    return rc;
}

static int read_credential(const struct source_fetch *fetch, const char *token,
                           struct aws_credential *ret, struct err *err)
{
    char role[ROLE_MAX + 1], path[sizeof(ROLE_PATH) + ROLE_MAX];
    struct http_response response = {0};
    int rc = read_role(fetch, token, role, err);

    if (rc != 0)
        return rc;
    snprintf(path, sizeof(path), "%s%s", ROLE_PATH, role);
    rc = ask(fetch, "GET", path, token, &response, err);
    if (rc == 0)
        rc = source_json_credential(response.body != NULL ? response.body : "", response.body_len,
                                    WHAT, ret, err);
    http_response_done(&response);
    return rc;
}

int source_imds_fetch(const struct source_fetch *fetch, struct aws_credential *ret, struct err *err)
{
    char *token = NULL;
    int rc = make_token_header(fetch, &token, err);

    if (rc == 0)
        rc = read_credential(fetch, token, ret, err);
    wiping_free(token);
    return rc;
}
