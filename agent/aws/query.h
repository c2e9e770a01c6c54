/* SPDX-License-Identifier: Apache-2.0 */
/* The form body of an AWS Query request: Action, Version, parameters. Encoded as AWS and strict
 * re-encoders agree: space as '+', A-Z a-z 0-9 - _ . ~ bare, everything else %XX upper-case. Kept
 * in wiping memory. */
#ifndef KMS_AGENT_AWS_QUERY_H
#define KMS_AGENT_AWS_QUERY_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct query {
    char action[64];
    char *body; /* wiping_malloc */
    size_t len, size;
    bool once; /* set by the maker: never to be sent twice, not even by libcurl (CreateAccessKey) */
    bool failed; /* out of memory or over 256 KiB; query_check() tells */
};

void query_init(struct query *query, const char *action, const char *version);
/* Adds NAME=VALUE; a NULL or empty value adds nothing. Errors are kept until query_check(). */
void query_add(struct query *query, const char *name, const char *value);
void query_add_int(struct query *query, const char *name, int64_t value);
/* Adds PREFIX.member.N.SUFFIX (N from 1). suffix NULL: PREFIX.member.N. An empty value is sent (tag
 * values may be empty). */
void query_add_member(struct query *query, const char *prefix, size_t n, const char *suffix,
                      const char *value);
int query_check(const struct query *query, struct err *err) KMS_MUST_CHECK;
void query_done(struct query *query);
#define QUERY_CLEANUP __attribute__((cleanup(query_done)))

#endif
