/* SPDX-License-Identifier: Apache-2.0 */
/* The transitions of a lease as store operations: each is decided on the stored record inside the
 * write transaction, with its audit line beside it. The _run forms wait for the commit (workers);
 * the _post forms do not. */
#ifndef KMS_AGENT_LEASE_LEASE_TXN_H
#define KMS_AGENT_LEASE_LEASE_TXN_H

#include "lease/lease_env.h"

struct lease_caps {
    uint32_t per_secret, per_uid; /* live leases */
};

/* Records an intent (IAM users) or a granted session in one transaction; KMS_ELIMIT at a cap. call,
 * here and below: to AWS, that made it so, for the audit line. */
int lease_txn_intend(struct lease_env *env, const struct lease *lease,
                     const struct lease_caps *caps, struct err *err) KMS_MUST_CHECK;
int lease_txn_grant_session(struct lease_env *env, const struct lease *lease,
                            const struct lease_caps *caps, const struct lease_call *call,
                            struct err *err) KMS_MUST_CHECK;
/* What CreateUser answered (user id, ARN, account), or that it did not; not awaited. */
void lease_txn_post_created(struct lease_env *env, const struct lease *lease);
/* The same before a CreateUser is tried again that may be carried out yet; durable when it returns. Workers. */
int lease_txn_create_unclear(struct lease_env *env, const struct lease *lease,
                             struct err *err) KMS_MUST_CHECK;
/* ISSUING becomes ACTIVE with the key id. KMS_EREFUSED when the lease is being revoked already:
 * then the key id is recorded all the same, so that the revocation kills what was made. *lease
 * becomes the record. */
int lease_txn_grant(struct lease_env *env, struct lease *lease, const struct lease_call *call,
                    struct err *err) KMS_MUST_CHECK;
/* The mint failed with cause: REVOKED at once when AWS certainly made nothing, else REVOKING, due
 * now. */
int lease_txn_fail_mint(struct lease_env *env, const struct lease *lease, bool made_nothing,
                        const struct err *cause, struct err *err) KMS_MUST_CHECK;
/* The reply went out whole. Not awaited. */
void lease_txn_post_delivered(struct lease_env *env, const struct uuid *id, bool ready);
/* Begins a revocation and leaves it to the due index (due now). Not awaited. */
void lease_txn_post_revoke(struct lease_env *env, const struct uuid *id, enum revoke_reason reason);

struct revoke_begin {
    struct uuid id;
    enum revoke_reason reason;       /* REVOKE_NONE: only a lease that is REVOKING already */
    const struct lease_owner *actor; /* who asked; NULL: the agent */
    int64_t hold_ms; /* REVOKING's next due time is this far ahead (the caller works on it now) */
};
/* REVOKING made durable (a session: REVOKED, it ends by itself); *ret is the record. A lease that
 * is REVOKED already answers 0 with its record; KMS_ENOLEASE; KMS_EREFUSED when reason is
 * REVOKE_NONE and it is not REVOKING. */
int lease_txn_begin_revoke(struct lease_env *env, const struct revoke_begin *begin,
                           struct lease *ret, struct err *err) KMS_MUST_CHECK;
/* The same inside a transaction; *ret_ended: a session that is over with it, for lease_journal_end() once that is
 * durable. */
int lease_txn_apply_revoke(struct store_txn *txn, const struct revoke_begin *begin, int64_t now_ms,
                           struct lease *lease, bool *ret_ended, struct err *err) KMS_MUST_CHECK;

/* The transition alone, on a record in memory. *ret_again: it was being revoked already. 0 (also
 * when it is REVOKED already: nothing changes), KMS_EREFUSED. */
int lease_begin_revoking(struct lease *lease, const struct revoke_begin *begin, int64_t now_ms,
                         bool *ret_again, struct err *err) KMS_MUST_CHECK;

/* Progress of a revocation: stage, next due time, errors, stuck. Only on a lease that is REVOKING.
 * A store without room holds it in memory (held.h): that is no failure. */
int lease_txn_progress(struct lease_env *env, const struct lease *lease,
                       struct err *err) KMS_MUST_CHECK;
/* AWS confirmed: REVOKED. The line names the call that killed the key, or else call. Held in memory
 * while the store has no room. */
int lease_txn_gone(struct lease_env *env, struct lease *lease, const struct lease_call *call,
                   struct err *err) KMS_MUST_CHECK;

/* ACTIVE moves its end (and for sessions its key); KMS_EENDED when it is not ACTIVE any more. */
int lease_txn_renew(struct lease_env *env, struct lease *lease, const struct lease_owner *actor,
                    const struct lease_call *call, struct err *err) KMS_MUST_CHECK;
/* A renewal by the agent failed: not before retry_ms (AWS time) again; an audit line, unless the
 * failure before it was the same. Not awaited. */
void lease_txn_post_renew_later(struct lease_env *env, const struct uuid *id, int64_t retry_ms,
                                const struct err *cause);

/* Before a renewal moves the fence to fence_ms: the record says that it may be there. KMS_EENDED when
 * the lease is not ACTIVE any more. */
int lease_txn_raise_fence(struct lease_env *env, const struct uuid *id, int64_t fence_ms,
                          struct err *err) KMS_MUST_CHECK;
/* The renewal came to nothing: the fence is put back, by a job of its own. refused: AWS said no to all that
 * was sent, the fence did not move. Not awaited. */
void lease_txn_post_lower_fence(struct lease_env *env, const struct uuid *id, bool refused);
/* An attempt to put the fence to expires_ms, begun at put_ms (AWS time), was answered (put_ms 0: it
 * was not; the next one is due at retry_ms). lease: the record as it was then. */
int lease_txn_settle_fence(struct lease_env *env, const struct lease *lease, int64_t put_ms,
                           int64_t retry_ms, struct err *err) KMS_MUST_CHECK;

/* What failed, as metrics name it: AWS's code, or the agent's own. Never NULL. */
const char *lease_error_name(const struct err *err);
/* Copies what failed into the record's error fields. */
void lease_note_error(struct lease *lease, const struct err *cause);

#endif
