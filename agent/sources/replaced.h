/* SPDX-License-Identifier: Apache-2.0 */
/* Access keys that others have taken the place of: the configuration goes on naming the old one,
 * whoever asks gets the new one. By access key id, so all secrets with the same key follow. Any
 * thread. */
#ifndef KMS_AGENT_SOURCES_REPLACED_H
#define KMS_AGENT_SOURCES_REPLACED_H

#include "aws/credential.h"
#include "common/err.h"

#include <pthread.h>

struct replaced_key;
struct replaced_keys {
    pthread_mutex_t lock;
    struct replaced_key *first;
};

void replaced_keys_init(struct replaced_keys *keys);
void replaced_keys_done(struct replaced_keys *keys);
/* From now on by stands for configured_id. by NULL: nothing does, and fault (copied) says why; it
 * becomes the answer. 0 or KMS_ENOMEM with nothing changed. */
int replaced_keys_set(struct replaced_keys *keys, const char *configured_id,
                      const struct aws_credential *by, const struct err *fault,
                      struct err *err) KMS_MUST_CHECK;
/* configured_id stands for itself again. */
void replaced_keys_remove(struct replaced_keys *keys, const char *configured_id);
/* Puts what stands for it in the place of *credential, if anything does. 0, the fault of
 * replaced_keys_set(), KMS_ENOMEM. */
int replaced_keys_apply(struct replaced_keys *keys, struct aws_credential *credential,
                        struct err *err) KMS_MUST_CHECK;

#endif
