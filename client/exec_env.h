/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of the command: what is set, what is removed, and the array for execve. Pure, libc only,
 * no allocation. The plan points into the answer; both hold secrets. Source: the credential chains of the
 * AWS SDKs, as told in README.md.
 */
#ifndef KMS_CLIENT_EXEC_ENV_H
#define KMS_CLIENT_EXEC_ENV_H

#include "client/grant.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

#define EXEC_ENV_SET_MAX 12

/* How a value may be shown. */
enum exec_env_kind { EXEC_ENV_PLAIN, EXEC_ENV_KEY_ID, EXEC_ENV_SECRET };

struct exec_env_variable {
    const char *name;
    struct slice value;
    enum exec_env_kind kind;
};

/* What a grant does to an environment. */
struct exec_env_plan {
    struct exec_env_variable set[EXEC_ENV_SET_MAX];
    size_t set_count;
};

/* A name that is removed, and whether its old value may be shown. */
struct exec_env_removed {
    const char *name;
    bool secret;
};
/* The names removed whenever they are not set; ends with a NULL name. */
extern const struct exec_env_removed exec_env_removed[];

void exec_env_plan(const struct grant *grant, struct exec_env_plan *ret);
bool exec_env_sets(const struct exec_env_plan *plan, const char *name);
/* Entries that exec_env_build() needs at most for this environment, with the NULL. */
size_t exec_env_entries(char *const *inherited);
/* Fills ret_entries: the inherited entries in their order without any copy of the names set or removed, then
 * the new ones, whose texts go into text (wipe it when execve fails). KMS_ETOOBIG if they do not fit. */
int exec_env_build(const struct exec_env_plan *plan, char *const *inherited, char **ret_entries,
                   char *text, size_t text_size, struct err *err) KMS_MUST_CHECK;
/* Value of the first entry of that name, NULL if there is none. */
const char *exec_env_get(char *const *entries, const char *name);

#endif
