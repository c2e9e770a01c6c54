/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP(S) for the agent: libcurl with everything it would trust turned off (no proxy, netrc,
 * redirects or environment), bounded in time and size, optionally signed by libcurl's AWS_SIGV4.
 * Worker threads; one client (easy handle) per worker; blocking. The seam under aws/call:
 * http_set_transport() replaces the network. */
#ifndef KMS_AGENT_AWS_HTTP_H
#define KMS_AGENT_AWS_HTTP_H

#include "aws/credential.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_BODY_MAX 1048576

struct http_client;

struct http_request {
    const char *method; /* "GET", "POST", "PUT" */
    const char *url;    /* https://…, or http:// to loopback and the link-local metadata hosts */
    const char *body;   /* NULL: none */
    size_t body_len;
    const char *const
        *headers; /* "Name: value", NULL-terminated array or NULL; no empty values, no CR or LF */
    const struct aws_credential *credential; /* NULL: unsigned */
    const char *signing_region, *signing_service;
    const char *ca_file;                          /* NULL or empty: the system's */
    int64_t connect_timeout_ms, total_timeout_ms; /* 0: 3 s, 10 s */
    bool once; /* on a new connection: libcurl resends by itself when a reused one turns out dead */
    bool (*canceled)(void *arg); /* polled while waiting; NULL: never */
    void *canceled_arg;
};

struct http_response {
    int status;                 /* 200 … */
    char *body;                 /* wiping_malloc, may hold a secret; NUL-terminated; NULL = empty */
    size_t body_len, body_size; /* bytes of the body; bytes allocated */
    int64_t date_ms;            /* Date header, 0 = none */
    int64_t sent_wall_ms, received_wall_ms;
    char request_id[80];    /* x-amzn-requestid */
    int64_t retry_after_ms; /* x-amz-retry-after or Retry-After, 0 = none */
    bool sent;              /* some of the request may have reached the server */
    unsigned begun;         /* how often libcurl began to send it: again on a new connection when a
                               reused one was closed, although the first may have been heard */
    bool untrusted;         /* the certificate is not one of the server that was asked for */
};

/* curl_global_init_mem with wiping functions; checks AsynchDNS. Main thread, once, before threads.
 */
int http_global_init(struct err *err) KMS_MUST_CHECK;
void http_global_done(void);
int http_client_new(struct http_client **ret, struct err *err) KMS_MUST_CHECK;
void http_client_free(struct http_client *client);
/* No request of this client runs past deadline_ms (boot clock; 0: no such limit), whatever its own
 * timeouts. */
void http_client_limit(struct http_client *client, int64_t deadline_ms);
/* 0 with any HTTP status in *ret (http_response_done() it); KMS_EAWSDOWN (ret->sent says whether
 * the request may have been applied), KMS_ETIMEOUT, KMS_ECANCELED, KMS_ECONFIG (URL not allowed),
 * KMS_ENOMEM. Sees that Date reaches clock_observe_aws() only through aws/call, not here. */
int http_perform(struct http_client *client, const struct http_request *request,
                 struct http_response *ret, struct err *err) KMS_MUST_CHECK;
void http_response_done(struct http_response *response);
/* Adds bytes to the body; 0, or KMS_ENOMEM, or KMS_ETOOBIG past HTTP_BODY_MAX. For transports. */
int http_response_append(struct http_response *response, const void *bytes,
                         size_t len) KMS_MUST_CHECK;
/* The seam; NULL: libcurl. Before threads start. */
typedef int http_transport_fn(const struct http_request *request, struct http_response *ret,
                              struct err *err, void *arg);
void http_set_transport(http_transport_fn *transport, void *arg);

#endif
