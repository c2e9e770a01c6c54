/* SPDX-License-Identifier: Apache-2.0 */
#include "service/reload_sources.h"

#include "base/thread_role.h"

#include <stdio.h>

struct count {
    const char *secret;
    uint64_t live;
};

static int count_live(struct store_txn *txn, void *arg, struct err *err)
{
    struct count *count = arg;

    return store_count_secret(txn, count->secret, &count->live, err);
}

static const char *key_of(const struct recipe *recipe)
{
    if (recipe->access_key_id[0] != '\0')
        return recipe->access_key_id;
    return recipe->role_arn[0] != '\0' ? recipe->role_arn : "the agent's own credentials";
}

static void note(struct store *store, const struct secret_config *old,
                 const struct secret_config *new, struct string_list *notes)
{
    struct count count = {.secret = old->name};
    struct err err = {0};
    char text[1024];

    if (store_run(store, count_live, &count, false, &err) != 0 || count.live == 0)
        return;
    if (new == NULL)
        snprintf(text, sizeof text,
                 "secret \"%s\" is gone, and %llu live leases were made with %.200s: keep that "
                 "usable until they have ended",
                 old->name, (unsigned long long)count.live, key_of(&old->recipe));
    else
        snprintf(text, sizeof text,
                 "secret \"%s\" has %.200s now, and its %llu live leases were made with %.200s: if "
                 "that does not work any more they are revoked with the new one, provided it is of "
                 "the same account",
                 old->name, key_of(&new->recipe), (unsigned long long)count.live,
                 key_of(&old->recipe));
    if (string_list_add(notes, text) != 0)
        return;
}

void reload_sources_note(struct store *store, const struct config *old, const struct config *new,
                         struct string_list *notes)
{
    ASSERT_ON_WORKER();
    for (size_t i = 0; i < old->secret_count; i++) {
        const struct secret_config *was = &old->secrets[i];
        const struct secret_config *is = config_secret(new, was->name);
        struct recipe ignored;

        if (was->recipe.type == CREDENTIAL_IAM_USER &&
            (is == NULL || recipe_stand_in(&was->recipe, &is->recipe, &ignored)))
            note(store, was, is, notes);
    }
}
