/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of http.c that need no libcurl: which hosts, which headers, which environment. Any
 * thread, except http_environment_clear(). */
#ifndef KMS_AGENT_AWS_HTTP_RULES_H
#define KMS_AGENT_AWS_HTTP_RULES_H

#include "aws/http.h"

/* Whether plain http may go to host (a name or an address, IPv6 in brackets or not): loopback and
 * the link-local hosts of EC2, ECS and EKS metadata. Source: the SDKs' rule for container
 * credentials. */
bool http_plain_host_allowed(const char *host);
/* "Name: value" with a token as name, a non-empty value and no control characters. libcurl 7.88
 * signs headers that it then does not send when the value is empty. */
bool http_header_allowed(const char *header);
/* Takes what the agent uses of one received header line; a status line starts anew. */
void http_response_header(struct http_response *response, const char *line, size_t len);
/* CURLOPT_PREREQFUNCTION: counts in an unsigned how often sending began. */
int http_note_begun(void *arg, char *address, char *local_address, int port, int local_port);
/* Too many resolver threads outlived their call of late: no more are to be started for a while. */
bool http_resolver_is_stuck(void);
/* One more did: they are detached and end by themselves. */
void http_resolver_note_stuck(void);
/* Fills err for a server whose certificate is not accepted, with what to do about it. url and
 * ca_file as in the request; verify: OpenSSL's verdict, a number of x509_vfy.h; 0 or 1: its
 * name is wrong; words: libcurl's. KMS_EAWSDOWN. */
int http_explain_untrusted(const char *url, const char *ca_file, long verify, const char *words,
                           struct err *err);
/* Removes proxies, key logs and certificate overrides from the environment. Main thread, before
 * threads. */
void http_environment_clear(void);

#endif
