/* SPDX-License-Identifier: Apache-2.0 */
/* Replaced management keys: their records opened and sealed, and what sources/ hands out because of
 * them. */
#ifndef KMS_AGENT_LEASE_ROOT_KEYS_H
#define KMS_AGENT_LEASE_ROOT_KEYS_H

#include "aws/credential.h"
#include "lease/lease_env.h"
#include "model/root_key.h"

/* Makes sources/ hand out what the records say. A record that does not open is no error here: who
 * asks for its key gets the reason. Main thread at start, before any source_get(). */
int root_keys_load(struct lease_env *env, struct err *err) KMS_MUST_CHECK;
/* The secret of the record's next key (next: true) or current one, with its id, in *ret.
 * KMS_ESOURCE when it does not open or the operator's key is missing. Workers, or the main thread
 * at start. */
int root_key_open(struct lease_env *env, const struct root_key *record, bool next,
                  struct aws_credential *ret, struct err *err) KMS_MUST_CHECK;
/* Sealing is possible. KMS_ESOURCE with how to make it so. Workers. */
int root_key_check_seal(struct lease_env *env, struct err *err) KMS_MUST_CHECK;
/* key becomes the record's next one. Workers. */
int root_key_seal_next(struct lease_env *env, struct root_key *record,
                       const struct aws_credential *key, struct err *err) KMS_MUST_CHECK;
/* Writes the record (stage ROOT_KEY_NONE: deletes it) and waits until it is durable; audit (NULL:
 * none) goes into the same commit. urgent: may use the store's reserve. Workers. */
int root_key_commit(struct lease_env *env, const struct root_key *record, const struct audit *audit,
                    bool urgent, struct err *err) KMS_MUST_CHECK;

#endif
