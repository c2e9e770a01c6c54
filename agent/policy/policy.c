/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

#define ID_OVERFLOW 65534u /* what the kernel shows for an id without a mapping */
#define ID_INVALID UINT32_MAX

static bool id_valid(uint32_t id)
{
    return id != ID_OVERFLOW && id != ID_INVALID;
}

static bool in_group(const struct peer_facts *peer, uint32_t gid)
{
    if (!id_valid(gid))
        return false;
    if (peer->gid == gid)
        return true;
    for (size_t i = 0; i < peer->group_count; i++)
        if (peer->groups[i] == gid)
            return true;
    return false;
}

static bool rule_matches(const struct rule *rule, const struct peer_facts *peer)
{
    switch (rule->kind) {
    case RULE_USER:
        return rule->id == peer->uid;
    case RULE_GROUP:
        return in_group(peer, rule->id);
    case RULE_UNIT:
        return peer->unit != NULL && peer->unit[0] != '\0' &&
               strcmp(peer->unit, rule->text + strlen("unit:")) == 0;
    }
    return false;
}

static const struct rule *match_kind(const struct rule_list *list, const struct peer_facts *peer,
                                     bool units)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct rule *rule = &list->rules[i];

        if ((rule->kind == RULE_UNIT) == units && rule_matches(rule, peer))
            return rule;
    }
    return NULL;
}

const struct rule *policy_match(const struct rule_list *list, const struct peer_facts *peer)
{
    const struct rule *rule;

    /* An unmapped uid could be anybody: not even a group or unit rule counts then. */
    if (!id_valid(peer->uid))
        return NULL;
    rule = match_kind(list, peer, false);
    return rule != NULL ? rule : match_kind(list, peer, true);
}

bool policy_is_admin(const struct rule_list *admins, const struct peer_facts *peer)
{
    return peer->uid == 0 || policy_match(admins, peer) != NULL;
}

bool policy_needs_unit(const struct rule_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->rules[i].kind == RULE_UNIT)
            return true;
    return false;
}

bool policy_owns(const struct peer_facts *peer, uint32_t owner_uid, const char *owner_rule)
{
    if (!id_valid(peer->uid) || peer->uid != owner_uid)
        return false;
    if (strncmp(owner_rule, "unit:", 5) != 0)
        return true;
    return peer->unit != NULL && peer->unit[0] != '\0' && strcmp(peer->unit, owner_rule + 5) == 0;
}

void rule_list_done(struct rule_list *list)
{
    free(list->rules);
    list->rules = NULL;
    list->count = 0;
}
