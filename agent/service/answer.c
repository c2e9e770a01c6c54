/* SPDX-License-Identifier: Apache-2.0 */
#include "service/answer.h"

int64_t answer_ends_ms(const struct lease *lease)
{
    bool ended = lease->state == LEASE_REVOKING || lease->state == LEASE_REVOKED;

    return ended && lease->recipe.type == CREDENTIAL_SESSION ? lease->credential_expires_ms : 0;
}

void answer_put_region(struct wire_writer *writer, const struct lease *lease, const char *region)
{
    wire_put_str(writer, "region",
                 region != NULL && region[0] != '\0' ? region : lease->recipe.region);
}

void answer_put_credential(struct wire_writer *writer, const struct answer_credential *answer)
{
    answer_put_session(writer, answer);
    answer_put_region(writer, answer->lease, answer->region);
}

void answer_put_session(struct wire_writer *writer, const struct answer_credential *answer)
{
    const struct lease *lease = answer->lease;
    const struct aws_credential *credential = answer->credential;

    wire_put_uuid(writer, "lease_id", &lease->id);
    wire_put_str(writer, "secret", lease->secret);
    wire_put_str(writer, "credential_type", credential_type_name(lease->recipe.type));
    wire_put_str(writer, "access_key_id", lease->access_key_id);
    if (credential != NULL && !secret_empty(&credential->secret_access_key))
        wire_put_secret(writer, "secret_access_key", &credential->secret_access_key);
    if (credential != NULL && !secret_empty(&credential->session_token))
        wire_put_secret(writer, "session_token", &credential->session_token);
    wire_put_opt(writer, "username", lease->user_name);
    wire_put_str(writer, "arn", lease->arn);
    wire_put_str(writer, "account_id", lease->account_id);
    wire_put_time(writer, "issued_at", lease->created_ms);
    wire_put_int(writer, "requested_ttl_s", lease_asked_ttl_s(lease));
    wire_put_int(writer, "granted_ttl_s", lease->granted_ttl_s);
    wire_put_time(writer, "expires_at", lease->expires_ms);
    wire_put_opt(writer, "clamp_reason", lease->clamp_reason);
    wire_put_time(writer, "credential_expires_at", lease->credential_expires_ms);
    wire_put_bool(writer, "renewable", lease->last_end_ms > lease->expires_ms);
    wire_put_bool(writer, "ready", lease->ready);
    wire_put_bool(writer, "bound", lease->bound);
    wire_put_bool(writer, "shared", lease->shared);
}

static const char *stage_name(enum revoke_stage stage)
{
    switch (stage) {
    case REVOKE_KEY:
        return "key";
    case REVOKE_CLEANUP:
        return "cleanup";
    case REVOKE_DENY:
        return "deny";
    case REVOKE_WAIT:
        return "wait";
    }
    return "key";
}

static void put_groups(struct wire_writer *writer, const struct lease_groups *groups)
{
    if (groups->count == 0)
        return;
    wire_open_array(writer, "gids");
    for (uint32_t i = 0; i < groups->count && i < LEASE_GROUPS_MAX; i++)
        wire_put_int(writer, NULL, groups->ids[i]);
    wire_close(writer);
    if (groups->count > LEASE_GROUPS_MAX)
        wire_put_int(writer, "gids_more", groups->count - LEASE_GROUPS_MAX);
}

static void put_owner(struct wire_writer *writer, const struct lease_owner *owner)
{
    wire_put_int(writer, "uid", owner->uid);
    wire_put_int(writer, "gid", owner->gid);
    wire_put_int(writer, "pid", owner->pid);
    put_groups(writer, &owner->groups);
    wire_put_opt(writer, "unit", owner->unit);
    wire_put_str(writer, "command", owner->command);
}

static void put_revocation(struct wire_writer *writer, const struct lease *lease)
{
    if (lease->reason != REVOKE_NONE)
        wire_put_str(writer, "reason", revoke_reason_name(lease->reason));
    if (lease->state == LEASE_REVOKING)
        wire_put_str(writer, "stage", stage_name(lease->stage));
    wire_put_int(writer, "attempts", lease->attempts);
    if (lease->state == LEASE_REVOKING)
        wire_put_time(writer, "retry_at", lease->retry_ms);
    wire_put_opt(writer, "error", lease->error);
    wire_put_opt(writer, "error_action", lease->error_action);
    wire_put_opt(writer, "error_code", lease->error_code);
    wire_put_opt(writer, "error_request_id", lease->error_request_id);
    if (lease->state == LEASE_REVOKING && lease->stage == REVOKE_WAIT)
        wire_put_str(writer, "note", "waiting to be sure");
}

void answer_put_lease(struct wire_writer *writer, const struct lease *lease)
{
    wire_open_map(writer, NULL);
    wire_put_uuid(writer, "lease_id", &lease->id);
    wire_put_str(writer, "secret", lease->secret);
    wire_put_str(writer, "state", lease_state_name(lease->state));
    wire_put_str(writer, "credential_type", credential_type_name(lease->recipe.type));
    wire_put_str(writer, "method", secret_method_name(lease->recipe.method));
    wire_put_str(writer, "access_key_id", lease->access_key_id);
    wire_put_opt(writer, "username", lease->user_name);
    wire_put_str(writer, "arn", lease->arn);
    wire_put_str(writer, "account_id", lease->account_id);
    put_owner(writer, &lease->owner);
    wire_put_str(writer, "rule", lease->owner.rule);
    wire_put_time(writer, "issued_at", lease->created_ms);
    wire_put_time(writer, "expires_at", lease->expires_ms);
    wire_put_time(writer, "ends_at", answer_ends_ms(lease));
    wire_put_int(writer, "requested_ttl_s", lease_asked_ttl_s(lease));
    wire_put_int(writer, "granted_ttl_s", lease->granted_ttl_s);
    wire_put_opt(writer, "clamp_reason", lease->clamp_reason);
    wire_put_time(writer, "credential_expires_at", lease->credential_expires_ms);
    wire_put_bool(writer, "bound", lease->bound);
    wire_put_bool(writer, "shared", lease->shared);
    wire_put_bool(writer, "delivered", lease->delivered);
    wire_put_bool(writer, "ready", lease->ready);
    wire_put_bool(writer, "stuck", lease->stuck);
    put_revocation(writer, lease);
    wire_close(writer);
}

void answer_put_revoked(struct wire_writer *writer, const struct lease *lease)
{
    wire_put_uuid(writer, "lease_id", &lease->id);
    wire_put_str(writer, "state", lease_state_name(lease->state));
    wire_put_time(writer, "ends_at", answer_ends_ms(lease));
}

void answer_put_secret_config(struct wire_writer *writer, const struct secret_config *secret,
                              uint64_t live_leases)
{
    const struct recipe *recipe = &secret->recipe;

    wire_put_str(writer, "name", secret->name);
    wire_put_str(writer, "method", secret_method_name(recipe->method));
    wire_put_str(writer, "credential_type", credential_type_name(recipe->type));
    wire_put_str(writer, "region", recipe->region);
    wire_put_int(writer, "default_ttl_s", recipe->default_ttl_s);
    wire_put_int(writer, "max_ttl_s", recipe->max_ttl_s);
    wire_put_str(writer, "share", secret->share == SHARE_UID ? "uid" : "none");
    wire_put_opt(writer, "role_arn", recipe->role_arn);
    if (recipe->type == CREDENTIAL_IAM_USER)
        wire_put_opt(writer, "path", recipe->path);
    wire_put_int(writer, "live_leases", (int64_t)live_leases);
}

void answer_put_audit(struct wire_writer *writer, const struct audit *audit)
{
    wire_open_map(writer, NULL);
    wire_put_int(writer, "sequence", (int64_t)audit->sequence);
    wire_put_time(writer, "time", audit->time_ms);
    wire_put_str(writer, "event", audit_event_name(audit->event));
    wire_put_uuid(writer, "lease_id", &audit->lease_id);
    wire_put_str(writer, "secret", audit->secret);
    put_owner(writer, &audit->owner);
    wire_put_opt(writer, "rule", audit->owner.rule);
    if (audit->reason != REVOKE_NONE)
        wire_put_str(writer, "reason", revoke_reason_name(audit->reason));
    wire_put_time(writer, "expires_at", audit->expires_ms);
    wire_put_opt(writer, "access_key_id", audit->access_key_id);
    wire_put_opt(writer, "username", audit->user_name);
    if (audit->error != 0)
        wire_put_str(writer, "error", err_name(audit->error));
    wire_put_opt(writer, "detail", audit->detail);
    wire_put_opt(writer, "aws_action", audit->aws_action);
    wire_put_opt(writer, "aws_request_id", audit->aws_request_id);
    wire_close(writer);
}
