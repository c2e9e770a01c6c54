/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: rules over kernel-given identity. Pure (names were resolved at load). Default deny.
 * uid and gid 65534 and -1 never match; root has no implicit right to a credential. */
#ifndef KMS_AGENT_POLICY_POLICY_H
#define KMS_AGENT_POLICY_POLICY_H

#include "common/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rule_kind { RULE_USER, RULE_GROUP, RULE_UNIT };

struct rule {
    enum rule_kind kind;
    uint32_t id;     /* uid or gid */
    char text[161];  /* as written, "user:app"; for units the name is text + 5 */
};

struct rule_list {
    struct rule *rules;
    size_t count;
};

/* The peer as far as rules care. */
struct peer_facts {
    uint32_t uid, gid;
    const uint32_t *groups;  /* supplementary, SO_PEERGROUPS */
    size_t group_count;
    const char *unit;        /* verified unit, NULL when unknown: unit rules then fail closed */
};

/* First rule that matches, user and group rules before unit rules; NULL: denied. */
const struct rule *policy_match(const struct rule_list *list, const struct peer_facts *peer);
/* Root, or a match in admins. */
bool policy_is_admin(const struct rule_list *admins, const struct peer_facts *peer);
/* Whether list has a unit rule at all (the unit is looked up only then). */
bool policy_needs_unit(const struct rule_list *list);
/* Ownership of a lease: the same uid (never 65534 or -1) and, when a unit rule granted it, the same unit now.
 * Enough to see and revoke it; a renewal also needs today's policy_match(). */
bool policy_owns(const struct peer_facts *peer, uint32_t owner_uid, const char *owner_rule);
void rule_list_done(struct rule_list *list);

#endif
