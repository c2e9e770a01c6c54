/* SPDX-License-Identifier: Apache-2.0 */
#include "service/access.h"

#include "base/clock.h"
#include "base/message_ids.h"
#include "lease/lease_journal.h"
#include "service/events.h"
#include "service/text.h"

#include <stdio.h>
#include <string.h>

static struct peer_facts facts_of(const struct peer *peer, bool with_unit)
{
    return (struct peer_facts){.uid = peer->uid,
                               .gid = peer->gid,
                               .groups = peer->groups,
                               .group_count = peer->group_count,
                               .unit = with_unit && peer->unit[0] != '\0' ? peer->unit : NULL};
}

/* Anew each time: a pidfd that has ended since the last request must not pass. */
static void look_up_unit(struct peer *peer)
{
    if (peer->look_up_unit != NULL)
        peer->look_up_unit(peer);
}

bool access_is_known(const struct peer *peer)
{
    return peer->uid != 65534 && peer->uid != UINT32_MAX;
}

bool access_is_admin(const struct config *config, struct peer *peer)
{
    const struct rule_list *admins = &config->agent.admins;
    struct peer_facts facts = facts_of(peer, false);

    if (policy_is_admin(admins, &facts) || !policy_needs_unit(admins))
        return policy_is_admin(admins, &facts);
    look_up_unit(peer);
    facts = facts_of(peer, true);
    return policy_is_admin(admins, &facts);
}

const struct rule *access_match(const struct secret_config *secret, struct peer *peer)
{
    struct peer_facts facts = facts_of(peer, false);
    const struct rule *rule = policy_match(&secret->allow, &facts);

    if (rule != NULL || !policy_needs_unit(&secret->allow))
        return rule;
    look_up_unit(peer);
    facts = facts_of(peer, true);
    return policy_match(&secret->allow, &facts);
}

bool access_owns(struct peer *peer, const struct lease *lease)
{
    bool by_unit = strncmp(lease->owner.rule, "unit:", 5) == 0;
    struct peer_facts facts;

    if (by_unit && peer->uid == lease->owner.uid)
        look_up_unit(peer);
    facts = facts_of(peer, by_unit);
    return policy_owns(&facts, lease->owner.uid, lease->owner.rule);
}

/* Of those that a record keeps. */
static size_t groups_size(const struct peer *peer)
{
    size_t count = peer->group_count < LEASE_GROUPS_MAX ? peer->group_count : LEASE_GROUPS_MAX;

    return count * sizeof peer->groups[0];
}

void access_owner(const struct peer *peer, const struct rule *rule, struct lease_owner *ret)
{
    *ret = (struct lease_owner){.uid = peer->uid, .gid = peer->gid, .pid = peer->pid};
    if (rule != NULL)
        snprintf(ret->rule, sizeof ret->rule, "%s", rule->text);
    snprintf(ret->unit, sizeof ret->unit, "%s", peer->unit);
    snprintf(ret->command, sizeof ret->command, "%s", peer->command);
    ret->groups.count = (uint32_t)peer->group_count;
    if (peer->group_count > 0)
        memcpy(ret->groups.ids, peer->groups, groups_size(peer));
}

bool access_same_groups(const struct peer *peer, const struct lease_owner *owner)
{
    return owner->groups.count == peer->group_count &&
           (peer->group_count == 0 ||
            memcmp(owner->groups.ids, peer->groups, groups_size(peer)) == 0);
}

/* ---- denials ---- */

static void record_denial(struct request *request, const char *secret, const struct uuid *lease_id,
                          const struct err *err)
{
    struct service *service = request->service;
    struct audit audit = {.time_ms = clock_aws_ms(), .event = AUDIT_DENIED, .error = err->code};
    struct lease_owner actor;
    uint32_t suppressed;
    char message[ERR_MESSAGE_MAX + 64];

    if (!rate_take(&service->denials, request->peer->uid, DENIALS_PER_MINUTE / 60.0,
                   DENIALS_PER_MINUTE, clock_boot_ms(), &suppressed, NULL))
        return;
    access_owner(request->peer, NULL, &actor);
    snprintf(message, sizeof message, "denied: %s", err->message);
    if (suppressed > 0)
        snprintf(message, sizeof message, "denied (%u more before it): %s", suppressed,
                 err->message);
    lease_journal(LOG_LEVEL_WARNING, MESSAGE_ID_DENIED, &actor, secret, NULL, NULL, message);
    audit.owner = actor;
    if (lease_id != NULL)
        audit.lease_id = *lease_id;
    if (secret != NULL)
        snprintf(audit.secret, sizeof audit.secret, "%s", secret);
    snprintf(audit.detail, sizeof audit.detail, "%.255s", err->message);
    events_audit(service->options.env->store, &audit);
}

const struct secret_config *access_secret(struct request *request, const char *name,
                                          const struct rule **ret_rule)
{
    const struct secret_config *secret = config_secret(request->config, name);
    const struct rule *rule = secret != NULL ? access_match(secret, request->peer) : NULL;
    char quote[TEXT_QUOTE_SIZE];
    struct err err = {0};

    if (rule != NULL) {
        *ret_rule = rule;
        return secret;
    }
    text_quote(name, strlen(name), quote);
    err_set(&err, KMS_EDENIED, "secret \"%s\" does not exist or is not allowed for uid %u", quote,
            request->peer->uid);
    err_hint(&err, "ask an admin of this agent to name you in the secret's allow list");
    record_denial(request, name, NULL, &err);
    request_fail(request, KMS_EDENIED, &err);
    return NULL;
}

const struct secret_config *access_visible_secret(struct request *request, const char *name)
{
    const struct secret_config *secret = config_secret(request->config, name);
    const struct rule *rule;

    if (secret != NULL && access_match(secret, request->peer) == NULL &&
        access_is_admin(request->config, request->peer))
        return secret;
    return access_secret(request, name, &rule);
}

int access_lease(struct request *request, bool admins, struct lease *ret, bool *ret_own)
{
    const struct uuid *id = &request->params.lease_id;
    struct err err = {0};
    char text[UUID_TEXT_SIZE];
    bool own = false;
    int rc = store_read(request->service->options.env->store, id, ret, &err);

    if (rc == 0)
        own = access_owns(request->peer, ret);
    if (rc == 0 && (own || (admins && access_is_admin(request->config, request->peer)))) {
        if (ret_own != NULL)
            *ret_own = own;
        return 0;
    }
    if (rc == 0 || rc == KMS_ENOLEASE) {
        rc = KMS_ENOLEASE;
        uuid_format(id, text);
        err_clear(&err);
        err_set(&err, rc, "there is no lease %s of uid %u", text, request->peer->uid);
        record_denial(request, NULL, id, &err);
    }
    request_fail(request, rc, &err);
    return rc;
}

void access_deny_nobody(struct request *request)
{
    struct err err = {0};

    err_set(&err, KMS_EDENIED, "uid %u is nobody: the agent cannot tell who you are",
            request->peer->uid);
    err_hint(&err, "the agent runs in a user namespace that does not map your uid");
    record_denial(request, NULL, NULL, &err);
    request_fail(request, KMS_EDENIED, &err);
}

void access_deny_method(struct request *request, const char *what)
{
    struct err err = {0};

    err_set(&err, KMS_EDENIED, "%s is for admins, and uid %u is none", what, request->peer->uid);
    err_hint(&err, "admins are root and those in the option \"admins\" of agent.conf");
    record_denial(request, NULL, NULL, &err);
    request_fail(request, KMS_EDENIED, &err);
}
