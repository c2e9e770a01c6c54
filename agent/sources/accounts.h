/* SPDX-License-Identifier: Apache-2.0 */
/* Which account a management key belongs to, as AWS's answers told. Any thread. */
#ifndef KMS_AGENT_SOURCES_ACCOUNTS_H
#define KMS_AGENT_SOURCES_ACCOUNTS_H

#include "model/recipe.h"

#include <pthread.h>
#include <stddef.h>

#define ACCOUNTS_MAX 128

struct accounts {
    pthread_mutex_t lock;
    struct {
        char access_key_id[AWS_KEY_ID_MAX + 1];
        char account_id[AWS_ACCOUNT_MAX + 1];
    } rows[ACCOUNTS_MAX];
    size_t next; /* the row that is overwritten next */
};

void accounts_init(struct accounts *accounts);
void accounts_done(struct accounts *accounts);
/* Ignores what is no account id of 12 digits. */
void accounts_set(struct accounts *accounts, const char *access_key_id, const char *account_id);
/* "" when unknown. */
void accounts_get(struct accounts *accounts, const char *access_key_id,
                  char ret[AWS_ACCOUNT_MAX + 1]);

#endif
