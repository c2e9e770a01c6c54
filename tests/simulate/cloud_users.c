/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud.h"

#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cloud_user users[CLOUD_USERS_MAX];
static size_t user_count;

void cloud_reset(void)
{
    user_count = 0;
    cloud_sts_reset();
    cloud_stranger_user("alice");
}

struct cloud_user *cloud_nth(size_t n)
{
    return n < user_count ? &users[n] : NULL;
}

struct cloud_user *cloud_find(const char *name)
{
    for (size_t i = 0; i < user_count; i++)
        if (users[i].exists && strcmp(users[i].name, name) == 0)
            return &users[i];
    return NULL;
}

struct cloud_user *cloud_find_lease(const char *lease_tag)
{
    for (size_t i = 0; i < user_count; i++)
        if (users[i].exists && strcmp(users[i].lease_tag, lease_tag) == 0)
            return &users[i];
    return NULL;
}

struct cloud_user *cloud_user_new(const char *name)
{
    struct cloud_user *user = &users[user_count];

    if (user_count == CLOUD_USERS_MAX)
        abort();
    user_count++;
    memset(user, 0, sizeof *user);
    user->exists = true;
    snprintf(user->name, sizeof user->name, "%s", name);
    snprintf(user->id, sizeof user->id, "AIDA%016llX", (unsigned long long)sim_random(UINT64_MAX));
    snprintf(user->path, sizeof user->path, "/kms/");
    user->created_ms = user->visible_ms = sim.now_ms;
    return user;
}

bool cloud_key_exists(const char *key_id)
{
    for (size_t i = 0; i < user_count; i++)
        for (size_t k = 0; users[i].exists && k < CLOUD_KEYS_MAX; k++)
            if (strcmp(users[i].keys[k].id, key_id) == 0)
                return true;
    return false;
}

struct cloud_policy *cloud_fence(struct cloud_user *user)
{
    for (size_t i = 0; i < CLOUD_POLICIES_MAX; i++)
        if (strcmp(user->policies[i].name, "kms-fence") == 0)
            return &user->policies[i];
    return NULL;
}

bool cloud_accepts(const struct cloud_user *user, int64_t at_ms)
{
    for (size_t i = 0; i < CLOUD_POLICIES_MAX; i++) {
        const struct cloud_policy *policy = &user->policies[i];

        if (policy->name[0] != '\0' &&
            (policy->deny_now || (policy->deny_from_ms != 0 && at_ms >= policy->deny_from_ms)))
            return false;
    }
    return user->exists;
}

void cloud_stranger_user(const char *name)
{
    struct cloud_user *user = cloud_user_new(name);

    user->stranger = true;
    user->groups = 1;
    snprintf(user->keys[0].id, sizeof user->keys[0].id, "AKIASTRANGER%08X",
             (unsigned)sim_random(UINT32_MAX));
    snprintf(user->policies[0].name, sizeof user->policies[0].name, "own");
    sim_note("a stranger makes user %s", name);
}

void cloud_holder_adds(struct cloud_user *user)
{
    switch (sim_random(3)) {
    case 0:
        for (size_t k = 0; k < CLOUD_KEYS_MAX; k++) {
            if (user->keys[k].id[0] != '\0')
                continue;
            user->keys[k].ours = false;
            user->keys[k].listed_ms = sim.now_ms;
            snprintf(user->keys[k].id, sizeof user->keys[k].id, "AKIAHOLDER%010X",
                     (unsigned)sim_random(UINT32_MAX));
            break;
        }
        break;
    case 1:
        user->login = true;
        break;
    default:
        user->mfa = true;
    }
    sim_note("somebody adds to user %s", user->name);
}
