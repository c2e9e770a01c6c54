/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/accounts.h"

#include <string.h>

void accounts_init(struct accounts *accounts)
{
    memset(accounts, 0, sizeof(*accounts));
    pthread_mutex_init(&accounts->lock, NULL);
}

void accounts_done(struct accounts *accounts)
{
    pthread_mutex_destroy(&accounts->lock);
}

static size_t find(const struct accounts *accounts, const char *access_key_id)
{
    size_t i;

    for (i = 0; i < ACCOUNTS_MAX; i++)
        if (strcmp(accounts->rows[i].access_key_id, access_key_id) == 0)
            break;
    return i;
}

void accounts_set(struct accounts *accounts, const char *access_key_id, const char *account_id)
{
    size_t i;

    if (access_key_id[0] == '\0' || strlen(access_key_id) > AWS_KEY_ID_MAX ||
        strlen(account_id) != AWS_ACCOUNT_MAX)
        return;
    pthread_mutex_lock(&accounts->lock);
    i = find(accounts, access_key_id);
    if (i == ACCOUNTS_MAX) {
        i = accounts->next;
        accounts->next = (i + 1) % ACCOUNTS_MAX;
    }
    strcpy(accounts->rows[i].access_key_id, access_key_id);
    strcpy(accounts->rows[i].account_id, account_id);
    pthread_mutex_unlock(&accounts->lock);
}

void accounts_get(struct accounts *accounts, const char *access_key_id,
                  char ret[AWS_ACCOUNT_MAX + 1])
{
    size_t i;

    ret[0] = '\0';
    if (access_key_id[0] == '\0')
        return;
    pthread_mutex_lock(&accounts->lock);
    i = find(accounts, access_key_id);
    if (i < ACCOUNTS_MAX)
        strcpy(ret, accounts->rows[i].account_id);
    pthread_mutex_unlock(&accounts->lock);
}
