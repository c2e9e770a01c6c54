/* SPDX-License-Identifier: Apache-2.0 */
/* Which AWS actions a secret's management identity needs, on which resources and under which
 * conditions: one table that feeds the printed policy and doctor's checks. Pure. Sources: the calls
 * of lease/ and aws/; the Service Authorization Reference of IAM and STS. */
#ifndef KMS_AGENT_MODEL_LEAST_NEED_H
#define KMS_AGENT_MODEL_LEAST_NEED_H

#include "common/err.h"
#include "model/recipe.h"

#include <stdbool.h>
#include <stddef.h>

#define LEAST_ARN_SIZE 2400 /* a path of 512 characters, each perhaps escaped */
#define LEAST_NEEDS_MAX 24

/* A secret as far as permissions depend on it. Borrowed pointers; unknown texts are "" or NULL. */
struct least_facts {
    const struct recipe *recipe;
    const char *partition;            /* "aws" */
    const char *account;              /* of the users; "" = unknown */
    const char *role_arn;             /* assume-role, irsa; "" = unknown */
    const char *manager_arn;          /* user or role that manages users; "" = unknown */
    const char *base_arn;             /* user or role of the base credentials (assume-role) */
    const char *external_id;          /* assume-role */
    const char *permissions_boundary; /* NULL: none */
    const char *const *groups;
    size_t group_count;
    const char *const *policy_arns;
    size_t policy_arn_count;
    bool session_tags;
    /* irsa: what the web identity token says */
    const char *issuer, *subject, *audience;
};

/* Whose permissions: each part is a document of its own. */
enum least_part {
    LEAST_MANAGE,        /* the management identity: users, keys, policies */
    LEAST_OPTIONAL,      /* the same identity: what the agent can do without */
    LEAST_BASE,          /* the base credentials of assume-role */
    LEAST_BASE_OPTIONAL, /* the base credentials: what the agent can do without */
    LEAST_ROTATE,        /* the user whose key the secret has: what rotate-root needs */
    LEAST_PARTS
};

enum least_resource {
    LEAST_USERS,     /* the users under the path */
    LEAST_ALL_USERS, /* any user: one that does not exist has no path */
    LEAST_GROUPS,    /* the configured groups: membership is authorized on the group */
    LEAST_ANY_GROUP,
    LEAST_MFA, /* virtual MFA devices have no path of their user */
    LEAST_ROLE,
    LEAST_MANAGER,   /* the management identity itself */
    LEAST_KEY_OWNER, /* the user whose key the secret has */
    LEAST_ANYTHING,  /* "*": the action knows no resources */
    LEAST_RESOURCES
};

enum least_condition {
    LEAST_UNCONDITIONAL,
    LEAST_WITH_BOUNDARY, /* iam:PermissionsBoundary is the configured one */
    LEAST_WITH_POLICIES, /* iam:PolicyARN is a configured one */
};

struct least_need {
    const char *action; /* "iam:CreateUser" */
    enum least_resource resource;
    enum least_condition condition;
};

/* What the part needs, in the order of the table; answers how many. */
size_t least_needs(const struct least_facts *facts, enum least_part part,
                   struct least_need ret[LEAST_NEEDS_MAX]);
/* How many ARNs a resource has (the groups; else 1). */
size_t least_resource_count(const struct least_facts *facts, enum least_resource resource);
/* Whether the base credentials are known to be of another account than the role (assume-role). */
bool least_role_is_foreign(const struct least_facts *facts);
/* The user whose key the secret has, if it has one of its own; "": not known yet. */
const char *least_key_owner(const struct least_facts *facts);
/* The i-th ARN as a policy has it; name NULL: a pattern. With a name: the ARN of one thing of that
 * name (users, groups, devices), unescaped, as it is asked about. */
void least_resource_arn(const struct least_facts *facts, enum least_resource resource, size_t i,
                        const char *name, char ret[LEAST_ARN_SIZE]);

#endif
