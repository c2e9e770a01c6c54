/* SPDX-License-Identifier: Apache-2.0 */
#include "model/least_need.h"

#include "model/partition.h"

#include <stdio.h>
#include <string.h>

/* When a row counts: all bits that it has must hold of the secret. */
enum {
    IAM_USERS = 1,
    SESSIONS = 2,
    WITH_GROUPS = 4,
    WITH_POLICIES = 8,
    NO_POLICIES = 16,
    SESSION_TAGS = 32,
    ASSUME_ROLE = 64,
    IRSA = 128,
    MANAGER_KNOWN = 256,
    OWN_KEY = 512,
    SAME_ACCOUNT = 1024, /* of base credentials and role, as far as is known */
};

static const struct {
    enum least_part part;
    unsigned when;
    struct least_need need;
} rows[] = {
#define MANAGE(action, resource, condition, when)                                                  \
    {                                                                                              \
        LEAST_MANAGE, IAM_USERS | (when),                                                          \
        {                                                                                          \
            "iam:" action, resource, condition                                                     \
        }                                                                                          \
    }
    MANAGE("CreateUser", LEAST_USERS, LEAST_WITH_BOUNDARY, 0),
    MANAGE("TagUser", LEAST_USERS, LEAST_UNCONDITIONAL, 0),
    /* Not conditioned on the boundary: the fence of a user made under another one must be renewed.
     */
    MANAGE("PutUserPolicy", LEAST_USERS, LEAST_UNCONDITIONAL, 0),
    MANAGE("CreateAccessKey", LEAST_USERS, LEAST_UNCONDITIONAL, 0),
    MANAGE("DeleteAccessKey", LEAST_USERS, LEAST_UNCONDITIONAL, 0),
    MANAGE("ListAccessKeys", LEAST_USERS, LEAST_UNCONDITIONAL, 0),
    MANAGE("ListAttachedUserPolicies", LEAST_USERS, LEAST_UNCONDITIONAL, 0),
    /* Not limited to the configured policies: a holder may have attached others. */
    MANAGE("DetachUserPolicy", LEAST_USERS, LEAST_UNCONDITIONAL, WITH_POLICIES),
    MANAGE("ListGroupsForUser", LEAST_USERS, LEAST_UNCONDITIONAL, 0),
    MANAGE("ListUserPolicies", LEAST_USERS, LEAST_UNCONDITIONAL, 0),
    MANAGE("DeleteUserPolicy", LEAST_USERS, LEAST_UNCONDITIONAL, 0),
    MANAGE("DeleteUser", LEAST_USERS, LEAST_UNCONDITIONAL, 0),
    MANAGE("GetUser", LEAST_ALL_USERS, LEAST_UNCONDITIONAL, 0),
    MANAGE("AttachUserPolicy", LEAST_USERS, LEAST_WITH_POLICIES, WITH_POLICIES),
    MANAGE("AddUserToGroup", LEAST_GROUPS, LEAST_UNCONDITIONAL, WITH_GROUPS),
    MANAGE("RemoveUserFromGroup", LEAST_GROUPS, LEAST_UNCONDITIONAL, WITH_GROUPS),
#undef MANAGE
#define OPTIONAL(action, resource, when)                                                           \
    {                                                                                              \
        LEAST_OPTIONAL, (when),                                                                    \
        {                                                                                          \
            "iam:" action, resource, LEAST_UNCONDITIONAL                                           \
        }                                                                                          \
    }
    /* The sweep. */
    OPTIONAL("ListUsers", LEAST_ANYTHING, IAM_USERS),
    /* What only a holder, or somebody else, can have added to a user. */
    OPTIONAL("DetachUserPolicy", LEAST_USERS, IAM_USERS | NO_POLICIES),
    OPTIONAL("DeleteLoginProfile", LEAST_USERS, IAM_USERS),
    OPTIONAL("ListMFADevices", LEAST_USERS, IAM_USERS),
    OPTIONAL("DeactivateMFADevice", LEAST_USERS, IAM_USERS),
    OPTIONAL("ListSSHPublicKeys", LEAST_USERS, IAM_USERS),
    OPTIONAL("DeleteSSHPublicKey", LEAST_USERS, IAM_USERS),
    OPTIONAL("ListSigningCertificates", LEAST_USERS, IAM_USERS),
    OPTIONAL("DeleteSigningCertificate", LEAST_USERS, IAM_USERS),
    OPTIONAL("ListServiceSpecificCredentials", LEAST_USERS, IAM_USERS),
    OPTIONAL("DeleteServiceSpecificCredential", LEAST_USERS, IAM_USERS),
    OPTIONAL("DeleteVirtualMFADevice", LEAST_MFA, IAM_USERS),
    OPTIONAL("RemoveUserFromGroup", LEAST_ANY_GROUP, IAM_USERS),
    /* Doctor. */
    OPTIONAL("SimulatePrincipalPolicy", LEAST_MANAGER, IAM_USERS | MANAGER_KNOWN),
    OPTIONAL("GetRole", LEAST_ROLE, SESSIONS | IRSA),
#undef OPTIONAL
    {LEAST_BASE, ASSUME_ROLE, {"sts:AssumeRole", LEAST_ROLE, LEAST_UNCONDITIONAL}},
    {LEAST_BASE,
     ASSUME_ROLE | SESSIONS | SESSION_TAGS,
     {"sts:TagSession", LEAST_ROLE, LEAST_UNCONDITIONAL}},
    /* Roles of another account cannot be looked at, whatever the policy says. */
    {LEAST_BASE_OPTIONAL,
     ASSUME_ROLE | SESSIONS | SAME_ACCOUNT,
     {"iam:GetRole", LEAST_ROLE, LEAST_UNCONDITIONAL}},
#define ROTATE(action)                                                                             \
    {                                                                                              \
        LEAST_ROTATE, OWN_KEY,                                                                     \
        {                                                                                          \
            "iam:" action, LEAST_KEY_OWNER, LEAST_UNCONDITIONAL                                    \
        }                                                                                          \
    }
    ROTATE("GetUser"),
    ROTATE("ListAccessKeys"),
    ROTATE("CreateAccessKey"),
    ROTATE("DeleteAccessKey"),
#undef ROTATE
};

/* A key of a user; that of a session ends by itself. */
static bool has_own_key(const struct recipe *recipe)
{
    return recipe->method != SECRET_IRSA && recipe->access_key_id[0] != '\0' &&
           strncmp(recipe->access_key_id, "ASIA", 4) != 0;
}

bool least_role_is_foreign(const struct least_facts *facts)
{
    char base[AWS_ACCOUNT_MAX + 1], role[AWS_ACCOUNT_MAX + 1];

    return arn_account(facts->base_arn, base) == 0 && arn_account(facts->role_arn, role) == 0 &&
           strcmp(base, role) != 0;
}

static unsigned truths(const struct least_facts *facts)
{
    unsigned bits = facts->recipe->type == CREDENTIAL_IAM_USER ? IAM_USERS : SESSIONS;

    bits |= facts->group_count > 0 ? WITH_GROUPS : 0;
    bits |= facts->policy_arn_count > 0 ? WITH_POLICIES : NO_POLICIES;
    bits |= facts->session_tags ? SESSION_TAGS : 0;
    bits |= facts->recipe->method == SECRET_ASSUME_ROLE ? ASSUME_ROLE : 0;
    bits |= facts->recipe->method == SECRET_IRSA ? IRSA : 0;
    bits |= facts->manager_arn[0] != '\0' ? MANAGER_KNOWN : 0;
    bits |= has_own_key(facts->recipe) ? OWN_KEY : 0;
    bits |= least_role_is_foreign(facts) ? 0 : SAME_ACCOUNT;
    return bits;
}

size_t least_needs(const struct least_facts *facts, enum least_part part,
                   struct least_need ret[LEAST_NEEDS_MAX])
{
    unsigned bits = truths(facts);
    size_t n = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && n < LEAST_NEEDS_MAX; i++) {
        if (rows[i].part != part || (rows[i].when & ~bits) != 0)
            continue;
        ret[n] = rows[i].need;
        if (ret[n].condition == LEAST_WITH_BOUNDARY && facts->permissions_boundary == NULL)
            ret[n].condition = LEAST_UNCONDITIONAL;
        n++;
    }
    return n;
}

size_t least_resource_count(const struct least_facts *facts, enum least_resource resource)
{
    return resource == LEAST_GROUPS ? facts->group_count : 1;
}

/* IAM paths may hold what a policy would read as a wildcard or a variable. */
static void escape(const char *text, bool as_pattern, char *ret, size_t size)
{
    size_t n = 0;

    for (; *text != '\0' && n + 5 < size; text++) {
        if (as_pattern && strchr("$*?", *text) != NULL)
            n += (size_t)snprintf(ret + n, size - n, "${%c}", *text);
        else
            ret[n++] = *text;
    }
    ret[n] = '\0';
}

const char *least_key_owner(const struct least_facts *facts)
{
    return facts->recipe->method == SECRET_ASSUME_ROLE ? facts->base_arn : facts->manager_arn;
}

void least_resource_arn(const struct least_facts *facts, enum least_resource resource, size_t i,
                        const char *name, char ret[LEAST_ARN_SIZE])
{
    const char *account = facts->account[0] != '\0' ? facts->account : "*";
    const char *tail = name != NULL ? name : "*";
    char head[160], path[IAM_PATH_MAX * 4 + 8];

    snprintf(head, sizeof(head), "arn:%.60s:iam::%.12s:", facts->partition, account);
    escape(facts->recipe->path, name == NULL, path, sizeof(path));
    switch (resource) {
    case LEAST_USERS:
        snprintf(ret, LEAST_ARN_SIZE, "%suser%s%.64s", head, path, tail);
        return;
    case LEAST_ALL_USERS:
        snprintf(ret, LEAST_ARN_SIZE, "%suser/%.64s", head, tail);
        return;
    case LEAST_GROUPS:
        snprintf(ret, LEAST_ARN_SIZE, "%sgroup/%.128s", head, facts->groups[i]);
        return;
    case LEAST_ANY_GROUP:
        snprintf(ret, LEAST_ARN_SIZE, "%sgroup/%.64s", head, tail);
        return;
    case LEAST_MFA:
        snprintf(ret, LEAST_ARN_SIZE, "%smfa/%.64s", head, tail);
        return;
    case LEAST_ROLE:
        if (facts->role_arn[0] != '\0')
            escape(facts->role_arn, name == NULL, ret, LEAST_ARN_SIZE);
        else
            snprintf(ret, LEAST_ARN_SIZE, "%srole/ROLE-NAME", head);
        return;
    case LEAST_MANAGER:
        escape(facts->manager_arn, name == NULL, ret, LEAST_ARN_SIZE);
        return;
    case LEAST_KEY_OWNER:
        if (least_key_owner(facts)[0] != '\0')
            escape(least_key_owner(facts), name == NULL, ret, LEAST_ARN_SIZE);
        else /* assume-role: perhaps in another account than the role */
            snprintf(ret, LEAST_ARN_SIZE, "arn:%.60s:iam::*:user/USER-NAME", facts->partition);
        return;
    case LEAST_ANYTHING:
    case LEAST_RESOURCES:
    default:
        snprintf(ret, LEAST_ARN_SIZE, "*");
        return;
    }
}
