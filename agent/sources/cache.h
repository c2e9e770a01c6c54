/* SPDX-License-Identifier: Apache-2.0 */
/* Management credentials kept in locked memory, each fetched by one thread at a time. Worker
 * threads. */
#ifndef KMS_AGENT_SOURCES_CACHE_H
#define KMS_AGENT_SOURCES_CACHE_H

#include "aws/credential.h"
#include "common/err.h"

#include <stdbool.h>

#define SOURCE_SPARE_MS 900000 /* a session with less left is fetched anew */
#define SOURCE_STATIC_MS                                                                           \
    10000 /* references are read again after this, so that a rotated file is seen */

struct source_cache;
typedef int source_fetch_fn(void *arg, struct aws_credential *ret, struct err *err);

int source_cache_new(struct source_cache **ret, struct err *err) KMS_MUST_CHECK;
void source_cache_free(struct source_cache *cache);
/* A copy of the credential called key. Fetches it when it is missing, old or forced; who comes
 * while another fetches the same key waits for that outcome. When a fetch that was not forced
 * fails, a session that is still valid is kept. */
int source_cache_get(struct source_cache *cache, const char *key, bool force,
                     source_fetch_fn *fetch, void *arg, struct aws_credential *ret,
                     struct err *err) KMS_MUST_CHECK;

#endif
