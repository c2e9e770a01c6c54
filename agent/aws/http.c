/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/http.h"

#include "aws/http_rules.h"
#include "base/clock.h"
#include "base/thread_role.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 3000
#define TOTAL_TIMEOUT_MS 10000
#define HEADERS_MAX 65536
#define CONNECTIONS_MAX 4
#define LOW_SPEED_BYTES 1L
#define LOW_SPEED_S 5L
#define CA_CACHE_S 60L /* what ca_file holds may be changed */

struct http_client {
    CURL *easy;
    int64_t deadline_ms; /* boot clock, 0 = none */
    char error[CURL_ERROR_SIZE];
};

struct transfer {
    const struct http_request *request;
    struct http_response *response;
    size_t header_bytes;
    bool too_large;
};

static http_transport_fn *transport_override;
static void *transport_arg;

void http_set_transport(http_transport_fn *transport, void *arg)
{
    transport_override = transport;
    transport_arg = arg;
}

int http_global_init(struct err *err)
{
    const curl_version_info_data *info;

    http_environment_clear();
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, wiping_malloc, wiping_free, wiping_realloc,
                             wiping_strdup, wiping_calloc) != CURLE_OK)
        return err_set(err, KMS_EINTERNAL, "libcurl cannot be initialized");
    info = curl_version_info(CURLVERSION_NOW);
    if ((info->features & CURL_VERSION_ASYNCHDNS) != 0 && (info->features & CURL_VERSION_SSL) != 0)
        return 0;
    curl_global_cleanup();
    return err_set(err, KMS_EINTERNAL,
                   "this libcurl lacks TLS or the asynchronous resolver: without them waits for "
                   "AWS have no bound");
}

void http_global_done(void)
{
    curl_global_cleanup();
}

int http_client_new(struct http_client **ret, struct err *err)
{
    struct http_client *client = calloc(1, sizeof(*client));

    if (client == NULL || (client->easy = curl_easy_init()) == NULL) {
        free(client);
        return err_set(err, KMS_ENOMEM, "out of memory for an HTTP client");
    }
    *ret = client;
    return 0;
}

void http_client_free(struct http_client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->easy);
    free(client);
}

void http_client_limit(struct http_client *client, int64_t deadline_ms)
{
    client->deadline_ms = deadline_ms;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    int rc = http_response_append(transfer->response, bytes, size * count);

    transfer->too_large |= rc == KMS_ETOOBIG;
    return rc == 0 ? size * count : 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    size_t len = size * count;

    transfer->header_bytes += len;
    if (transfer->header_bytes > HEADERS_MAX) {
        transfer->too_large = true;
        return 0;
    }
    http_response_header(transfer->response, line, len);
    return len;
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    const struct http_request *request = arg;

    (void)down_total, (void)down, (void)up_total, (void)up;
    return request->canceled != NULL && request->canceled(request->canceled_arg);
}

/* Parses once and hands libcurl the parsed URL, so that what was judged is what is called. */
static int parse_url(const char *text, CURLU *url, bool *ret_https, struct err *err)
{
    char *scheme = NULL, *host = NULL, *user = NULL;
    bool allowed = false;

    if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_NO_USER) {
        *ret_https = strcmp(scheme, "https") == 0;
        allowed = *ret_https || (strcmp(scheme, "http") == 0 && http_plain_host_allowed(host));
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    if (allowed)
        return 0;
    return err_set(err, KMS_ECONFIG,
                   "URL not allowed: it must be https://, or http:// to loopback or a metadata "
                   "address");
}

static int append_header(struct curl_slist **list, const char *header, struct err *err)
{
    struct curl_slist *grown;

    if (!http_header_allowed(header))
        return err_set(err, KMS_ECONFIG, "a request header is empty or has control characters");
    grown = curl_slist_append(*list, header);
    if (grown == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    *list = grown;
    return 0;
}

/* The session token goes in as a header, which libcurl signs; with an empty one it would sign what
 * it does not send. */
static int append_token(struct curl_slist **list, const struct secret *token, struct err *err)
{
    static const char name[] = "X-Amz-Security-Token: ";
    char *header = wiping_malloc(sizeof(name) + token->len);
    int rc;

    if (header == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    memcpy(header, name, sizeof(name) - 1);
    memcpy(header + sizeof(name) - 1, secret_text(token), token->len + 1);
    rc = append_header(list, header, err);
    wiping_free(header);
    return rc;
}

static int make_headers(const struct http_request *request, struct curl_slist **list,
                        struct err *err)
{
    int rc = 0;

    for (const char *const *h = request->headers; h != NULL && *h != NULL && rc == 0; h++)
        rc = append_header(list, *h, err);
    if (rc == 0 && request->credential != NULL &&
        !secret_empty(&request->credential->session_token))
        rc = append_token(list, &request->credential->session_token, err);
    return rc;
}

#define SET(option, value) (failed |= curl_easy_setopt(easy, option, value) != CURLE_OK)

/* Everything libcurl would take from elsewhere is turned off; a refused option is an error, never
 * ignored. */
static bool set_trust(CURL *easy, const struct http_request *request, bool https)
{
    bool failed = false;

    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROTOCOLS_STR, https ? "https" : "http");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
    if (request->ca_file != NULL && request->ca_file[0] != '\0') {
        SET(CURLOPT_CAINFO, request->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    return failed;
}

static bool set_bounds(const struct http_client *client, const struct http_request *request)
{
    int64_t total_ms = request->total_timeout_ms ?: TOTAL_TIMEOUT_MS;
    int64_t left_ms = client->deadline_ms > 0 ? client->deadline_ms - clock_boot_ms() : INT64_MAX;
    CURL *easy = client->easy;
    bool failed = false;

    total_ms = left_ms < 1 ? 1 : left_ms < total_ms ? left_ms : total_ms;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(request->connect_timeout_ms ?: CONNECT_TIMEOUT_MS));
    SET(CURLOPT_TIMEOUT_MS, (long)total_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES);
    SET(CURLOPT_LOW_SPEED_TIME, LOW_SPEED_S);
    SET(CURLOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
    SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver that hangs past the timeout */
    SET(CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L);
    return failed;
}

static bool set_request(CURL *easy, const struct http_request *request,
                        const struct curl_slist *headers)
{
    bool failed = false;

    SET(CURLOPT_USERAGENT, "kms-agent");
    if (headers != NULL)
        SET(CURLOPT_HTTPHEADER, headers);
    if (strcmp(request->method, "GET") == 0) {
        SET(CURLOPT_HTTPGET, 1L);
        return failed;
    }
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDS, request->body != NULL ? request->body : "");
    SET(CURLOPT_POSTFIELDSIZE, (long)request->body_len);
    SET(CURLOPT_CUSTOMREQUEST, request->method);
    return failed;
}

static bool set_signature(CURL *easy, const struct http_request *request)
{
    char provider[160];
    bool failed = false;
    int n;

    if (request->credential == NULL)
        return false;
    n = snprintf(provider, sizeof(provider), "aws:amz:%s:%s", request->signing_region,
                 request->signing_service);
    failed |= n < 0 || (size_t)n >= sizeof(provider);
    SET(CURLOPT_AWS_SIGV4, provider);
    SET(CURLOPT_USERNAME, request->credential->access_key_id);
    SET(CURLOPT_PASSWORD, secret_text(&request->credential->secret_access_key));
    return failed;
}

static bool set_callbacks(CURL *easy, struct http_client *client, struct transfer *transfer)
{
    bool failed = false;

    client->error[0] = '\0';
    SET(CURLOPT_ERRORBUFFER, client->error);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, (void *)(uintptr_t)transfer->request);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_PREREQFUNCTION, http_note_begun);
    SET(CURLOPT_PREREQDATA, &transfer->response->begun);
    return failed;
}

/* What libcurl says about the time line: whether any byte of the request can have left, and when.
 */
static void note_sent(CURL *easy, CURLcode code, int64_t started_ms, struct http_response *ret)
{
    long request_bytes = 0;
    curl_off_t pretransfer_us = 0, resolved_us = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    (void)curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer_us);
    (void)curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us);
    ret->sent = request_bytes > 0 || pretransfer_us > 0 || ret->status > 0;
    ret->sent_wall_ms = started_ms + pretransfer_us / 1000;
    if (ret->received_wall_ms == 0)
        ret->received_wall_ms = clock_wall_ms();
    if (code == CURLE_OPERATION_TIMEDOUT && resolved_us == 0 && !ret->sent)
        http_resolver_note_stuck();
}

/* No time will cure it: who serves there is not who was asked for. */
static int explain_untrusted(const struct http_client *client, const struct transfer *transfer,
                             struct err *err)
{
    const struct http_request *request = transfer->request;
    long verify = 0;

    transfer->response->untrusted = true;
    (void)curl_easy_getinfo(client->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
    return http_explain_untrusted(request->url, request->ca_file, verify, client->error, err);
}

static int explain(const struct http_client *client, CURLcode code, const struct transfer *transfer,
                   struct err *err)
{
    if (transfer->too_large)
        return err_set(err, KMS_EAWSDOWN, "the answer is larger than the agent accepts");
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return err_set(err, KMS_ECANCELED, "the request was given up");
    if (code == CURLE_OUT_OF_MEMORY)
        return err_set(err, KMS_ENOMEM, "out of memory");
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return explain_untrusted(client, transfer, err);
    return err_set(err, code == CURLE_OPERATION_TIMEDOUT ? KMS_ETIMEOUT : KMS_EAWSDOWN, "%s",
                   client->error[0] != '\0' ? client->error : curl_easy_strerror(code));
}

static int run(struct http_client *client, struct transfer *transfer, struct err *err)
{
    struct http_response *ret = transfer->response;
    int64_t started_ms = clock_wall_ms();
    CURLcode code = curl_easy_perform(client->easy);
    long status = 0;

    /* At once: the handle outlives this call, the key must not live in it. */
    (void)curl_easy_setopt(client->easy, CURLOPT_USERNAME, NULL);
    (void)curl_easy_setopt(client->easy, CURLOPT_PASSWORD, NULL);
    if (code == CURLE_OK)
        (void)curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    ret->status = (int)status;
    note_sent(client->easy, code, started_ms, ret);
    return code == CURLE_OK ? 0 : explain(client, code, transfer, err);
}

static int prepare(struct http_client *client, struct transfer *transfer, CURLU *url,
                   struct curl_slist **headers, struct err *err)
{
    const struct http_request *request = transfer->request;
    bool https = true, failed = false;
    CURL *easy = client->easy;
    int rc = parse_url(request->url, url, &https, err);

    if (rc == 0)
        rc = make_headers(request, headers, err);
    if (rc != 0)
        return rc;
    SET(CURLOPT_CURLU, url);
    failed |= set_trust(easy, request, https);
    failed |= set_bounds(client, request);
    failed |= set_request(easy, request, *headers);
    failed |= set_callbacks(easy, client, transfer);
    failed |= set_signature(easy, request);
    return failed ? err_set(err, KMS_EINTERNAL, "libcurl refused an option") : 0;
}

int http_perform(struct http_client *client, const struct http_request *request,
                 struct http_response *ret, struct err *err)
{
    struct transfer transfer = {.request = request, .response = ret};
    struct curl_slist *headers = NULL;
    CURLU *url;
    int rc;

    ASSERT_ON_WORKER();
    *ret = (struct http_response){0};
    if (transport_override != NULL)
        return transport_override(request, ret, err, transport_arg);
    if (http_resolver_is_stuck())
        return err_set(err, KMS_EAWSDOWN, "name resolution hangs, not asking it for a while");
    url = curl_url();
    if (url == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    curl_easy_reset(client->easy); /* options only: connections and TLS sessions stay */
    rc = prepare(client, &transfer, url, &headers, err);
    if (rc == 0)
        rc = run(client, &transfer, err);
    curl_easy_reset(client->easy); /* nothing in it may point here */
    curl_slist_free_all(headers);
    curl_url_cleanup(url);
    if (rc != 0) {
        struct http_response kept = {.sent = ret->sent, .untrusted = ret->untrusted};

        http_response_done(ret);
        *ret = kept;
    }
    return rc;
}
