/* SPDX-License-Identifier: Apache-2.0 */
/* Names of users and groups to ids, through NSS: blocks, so start-up or a worker. */
#ifndef KMS_AGENT_CONFIG_RESOLVE_H
#define KMS_AGENT_CONFIG_RESOLVE_H

#include "common/err.h"
#include "policy/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Answers of one load, so that a name is asked for once. */
struct resolver {
    struct resolver_entry {
        bool group, found;
        char *name;
        uint32_t id;
    } *entries;
    size_t count, size;
    bool offline;  /* fuzzers: numbers only, NSS is not asked */
};

/* "user:NAME", "group:NAME" or "unit:NAME.service" (numbers are ids) to a rule; KMS_ECONFIG with the reason. */
int resolve_rule(struct resolver *resolver, const char *text, struct rule *ret, struct err *err) KMS_MUST_CHECK;
int resolve_group(struct resolver *resolver, const char *name, uint32_t *ret, struct err *err) KMS_MUST_CHECK;
void resolver_done(struct resolver *resolver);

#endif
