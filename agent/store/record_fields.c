/* SPDX-License-Identifier: Apache-2.0 */
#include "store/record_fields.h"

#include "model/audit.h"
#include "model/lease.h"
#include "model/root_key.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FIELD(id, kind, type, member, max)                                                         \
    {                                                                                              \
        id, kind, offsetof(type, member), sizeof(((type *)NULL)->member), max                      \
    }
#define ENUM_MAX 255 /* enums that may grow and that nothing indexes by */

#define LEASE(id, kind, member) FIELD(id, kind, struct lease, member, UINT64_MAX)
#define LEASE_U32(id, member) FIELD(id, RECORD_UNSIGNED, struct lease, member, UINT32_MAX)
#define LEASE_ENUM(id, member, max) FIELD(id, RECORD_UNSIGNED, struct lease, member, max)

/* 1 … the lease, 40 … owner, 60 … process, 80 … recipe, 110 … the last failure; 240 … derived. */
static const struct record_field lease_fields[] = {
    LEASE(1, RECORD_UUID, id),
    LEASE_ENUM(2, state, LEASE_STATE_COUNT - 1),
    LEASE(3, RECORD_BOOL, delivered),
    LEASE(4, RECORD_BOOL, stuck),
    LEASE(5, RECORD_BOOL, bound),
    LEASE(6, RECORD_BOOL, shared),
    LEASE(7, RECORD_BOOL, early),
    LEASE(8, RECORD_BOOL, ready),
    LEASE(9, RECORD_BOOL, create_answered),
    LEASE(10, RECORD_BOOL, user_gone),
    LEASE(11, RECORD_TEXT, secret),
    LEASE(12, RECORD_TEXT, user_name),
    LEASE(13, RECORD_TEXT, user_id),
    LEASE(14, RECORD_TEXT, arn),
    LEASE(15, RECORD_TEXT, account_id),
    LEASE(16, RECORD_TEXT, access_key_id),
    LEASE(17, RECORD_SIGNED, requested_ttl_s),
    LEASE(18, RECORD_SIGNED, granted_ttl_s),
    LEASE(19, RECORD_SIGNED, created_ms),
    LEASE(20, RECORD_SIGNED, create_user_ms),
    LEASE(21, RECORD_SIGNED, expires_ms),
    LEASE(22, RECORD_SIGNED, last_end_ms),
    LEASE(23, RECORD_SIGNED, credential_expires_ms),
    LEASE(24, RECORD_SIGNED, revoking_ms),
    LEASE(25, RECORD_SIGNED, revoked_ms),
    LEASE_ENUM(26, stage, ENUM_MAX),
    LEASE_ENUM(27, reason, ENUM_MAX),
    LEASE_U32(28, attempts),
    LEASE(29, RECORD_SIGNED, retry_ms),
    LEASE(30, RECORD_BOOL, create_unclear),
    LEASE(31, RECORD_UNSIGNED, run_id),
    LEASE(32, RECORD_SIGNED, fence_ms),
    LEASE(33, RECORD_SIGNED, fence_retry_ms),
    LEASE(34, RECORD_SIGNED, fence_sure_ms),
    LEASE_U32(35, conflicts),
    LEASE(36, RECORD_SIGNED, conflict_ms),
    LEASE_U32(40, owner.uid),
    LEASE_U32(41, owner.gid),
    LEASE(42, RECORD_SIGNED, owner.pid),
    LEASE(43, RECORD_TEXT, owner.rule),
    LEASE(44, RECORD_TEXT, owner.unit),
    LEASE(45, RECORD_TEXT, owner.command),
    LEASE(60, RECORD_SIGNED, process.pid),
    LEASE(61, RECORD_UNSIGNED, process.start_time),
    LEASE(62, RECORD_UNSIGNED, process.pidfd_inode),
    LEASE(63, RECORD_TEXT, process.boot_id),
    LEASE_ENUM(80, recipe.method, SECRET_IRSA),
    LEASE_ENUM(81, recipe.type, CREDENTIAL_SESSION),
    LEASE(82, RECORD_TEXT, recipe.access_key_id),
    LEASE(83, RECORD_TEXT, recipe.secret_access_key),
    LEASE(84, RECORD_TEXT, recipe.role_arn),
    LEASE(85, RECORD_TEXT, recipe.external_id),
    LEASE(86, RECORD_TEXT, recipe.web_identity_token_file),
    LEASE(87, RECORD_TEXT, recipe.region),
    LEASE(88, RECORD_TEXT, recipe.path),
    LEASE(89, RECORD_TEXT, recipe.iam_endpoint),
    LEASE(90, RECORD_TEXT, recipe.sts_endpoint),
    LEASE(91, RECORD_TEXT, recipe.imds_endpoint),
    LEASE(92, RECORD_TEXT, recipe.ca_file),
    LEASE(93, RECORD_SIGNED, recipe.default_ttl_s),
    LEASE(94, RECORD_SIGNED, recipe.max_ttl_s),
    LEASE(95, RECORD_BOOL, recipe.deny_role_hop),
    LEASE(110, RECORD_TEXT, error),
    LEASE(111, RECORD_TEXT, error_action),
    LEASE(112, RECORD_TEXT, error_code),
    LEASE(113, RECORD_TEXT, error_request_id),
    LEASE(123, RECORD_TEXT, recipe.grant),
    LEASE(124, RECORD_GROUPS, owner.groups),
    LEASE(125, RECORD_TEXT, ended_by.action),
    LEASE(126, RECORD_TEXT, ended_by.request_id),
    LEASE(127, RECORD_SIGNED, renewed_ttl_s),
    LEASE(128, RECORD_TEXT, clamp_reason),
    LEASE(129, RECORD_UNSIGNED, verified_run),
    LEASE(130, RECORD_SIGNED, verified_boot_ms),
};

static const struct record_field derived_fields[] = {
    FIELD(240, RECORD_SIGNED, struct record_derived, due_ms, 0),
    FIELD(241, RECORD_UNSIGNED, struct record_derived, due_action, ENUM_MAX),
    FIELD(242, RECORD_BOOL, struct record_derived, live, 0),
    FIELD(243, RECORD_BOOL, struct record_derived, stuck, 0),
    FIELD(244, RECORD_BOOL, struct record_derived, bound, 0),
};

#define AUDIT(id, kind, member) FIELD(id, kind, struct audit, member, UINT64_MAX)
#define AUDIT_MAX(id, member, max) FIELD(id, RECORD_UNSIGNED, struct audit, member, max)

static const struct record_field audit_fields[] = {
    AUDIT(1, RECORD_UNSIGNED, sequence),    AUDIT(2, RECORD_SIGNED, time_ms),
    AUDIT_MAX(3, event, ENUM_MAX),          AUDIT(4, RECORD_UUID, lease_id),
    AUDIT(5, RECORD_TEXT, secret),          AUDIT_MAX(6, reason, ENUM_MAX),
    AUDIT(7, RECORD_SIGNED, expires_ms),    AUDIT(8, RECORD_TEXT, access_key_id),
    AUDIT(9, RECORD_TEXT, user_name),       AUDIT(10, RECORD_SIGNED, error),
    AUDIT(11, RECORD_TEXT, detail),         AUDIT(12, RECORD_TEXT, aws_action),
    AUDIT(13, RECORD_TEXT, aws_request_id), AUDIT_MAX(40, owner.uid, UINT32_MAX),
    AUDIT_MAX(41, owner.gid, UINT32_MAX),   AUDIT(42, RECORD_SIGNED, owner.pid),
    AUDIT(43, RECORD_TEXT, owner.rule),     AUDIT(44, RECORD_TEXT, owner.unit),
    AUDIT(45, RECORD_TEXT, owner.command),  AUDIT(46, RECORD_GROUPS, owner.groups),
};

#define ROOT_KEY(id, kind, member) FIELD(id, kind, struct root_key, member, UINT64_MAX)
#define ROOT_KEY_MAX(id, member, max) FIELD(id, RECORD_UNSIGNED, struct root_key, member, max)

/* A stage that this version does not know cannot be acted on: refused. */
static const struct record_field root_key_fields[] = {
    ROOT_KEY_MAX(1, stage, ROOT_KEY_SETTLED),  ROOT_KEY(2, RECORD_TEXT, configured_id),
    ROOT_KEY(3, RECORD_TEXT, current_id),      ROOT_KEY(4, RECORD_TEXT, current_seal),
    ROOT_KEY(5, RECORD_TEXT, next_id),         ROOT_KEY(6, RECORD_TEXT, next_seal),
    ROOT_KEY(7, RECORD_TEXT, known_id),        ROOT_KEY(8, RECORD_SIGNED, begun_ms),
    ROOT_KEY(9, RECORD_TEXT, user_name),       ROOT_KEY(10, RECORD_TEXT, secret),
    ROOT_KEY_MAX(40, actor.uid, UINT32_MAX),   ROOT_KEY_MAX(41, actor.gid, UINT32_MAX),
    ROOT_KEY(42, RECORD_SIGNED, actor.pid),    ROOT_KEY(43, RECORD_TEXT, actor.rule),
    ROOT_KEY(44, RECORD_TEXT, actor.unit),     ROOT_KEY(45, RECORD_TEXT, actor.command),
    ROOT_KEY(46, RECORD_GROUPS, actor.groups),
};

const struct record_table record_lease_table = {lease_fields, COUNT(lease_fields)};
const struct record_table record_derived_table = {derived_fields, COUNT(derived_fields)};
const struct record_table record_audit_table = {audit_fields, COUNT(audit_fields)};
const struct record_table record_root_key_table = {root_key_fields, COUNT(root_key_fields)};

bool record_field_is_zero(const struct record_field *field, const uint8_t *value)
{
    static const uint8_t zeros[16];
    struct lease_groups groups;

    if (field->kind == RECORD_TEXT)
        return value[0] == 0;
    if (field->kind == RECORD_GROUPS) {
        memcpy(&groups, value, sizeof groups);
        return groups.count == 0;
    }
    return memcmp(value, zeros, field->size) == 0;
}

uint64_t record_field_unsigned(const struct record_field *field, const uint8_t *value)
{
    uint64_t wide = 0;
    uint32_t narrow = 0;

    if (field->size == sizeof wide)
        memcpy(&wide, value, sizeof wide);
    else
        memcpy(&narrow, value, sizeof narrow);
    return field->size == sizeof wide ? wide : narrow;
}

int64_t record_field_signed(const struct record_field *field, const uint8_t *value)
{
    int64_t wide = 0;
    int32_t narrow = 0;

    if (field->size == sizeof wide)
        memcpy(&wide, value, sizeof wide);
    else
        memcpy(&narrow, value, sizeof narrow);
    return field->size == sizeof wide ? wide : narrow;
}

int record_field_set_unsigned(const struct record_field *field, uint64_t number, uint8_t *ret)
{
    uint32_t narrow = (uint32_t)number;

    if (number > field->max || (field->size == sizeof narrow && number > UINT32_MAX))
        return -1;
    if (field->size == sizeof number)
        memcpy(ret, &number, sizeof number);
    else
        memcpy(ret, &narrow, sizeof narrow);
    return 0;
}

int record_field_set_signed(const struct record_field *field, int64_t number, uint8_t *ret)
{
    int32_t narrow;

    if (field->size == sizeof number) {
        memcpy(ret, &number, sizeof number);
        return 0;
    }
    if (number < INT32_MIN || number > INT32_MAX)
        return -1;
    narrow = (int32_t)number;
    memcpy(ret, &narrow, sizeof narrow);
    return 0;
}
