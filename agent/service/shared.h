/* SPDX-License-Identifier: Apache-2.0 */
/* share = "uid": one live session per (secret, uid, unit that the rule names, digest of the
 * recipe), one lease with several holders, answered from memory without the store, a worker or AWS.
 * Minted once however many ask, refreshed ahead while it is used, kept to its end when AWS is down,
 * not handed out any more once its lease is revoked or its secret changed. In memory only: a
 * restart forgets it, and the lease ends by itself. Loop thread. */
#ifndef KMS_AGENT_SERVICE_SHARED_H
#define KMS_AGENT_SERVICE_SHARED_H

#include "lease/renew.h"
#include "service/request.h"

struct shared;

/* NULL when out of memory. */
struct shared *shared_new(struct service *service);
/* After schedule_stop(): nothing is under way. NULL is fine. */
void shared_free(struct shared *shared);

/* A request for secret with this ttl_s (0: not given) is one for a shared session. */
bool shared_applies(const struct secret_config *secret, int64_t ttl_s);
/* Takes over a request that was authorized by rule and answers it, now or when the session is
 * there. False: there is no room to keep a session, the request stays the caller's to mint for. */
bool shared_issue(struct request *request, const struct secret_config *secret,
                  const struct rule *rule) KMS_MUST_CHECK;

/* The lease is about to be revoked: its session is handed out no more. Who waits for it gets
 * another. */
void shared_revoked(struct shared *shared, const struct uuid *lease_id);
/* A holder renewed the lease: requests to come get the new session, unless a ttl of the holder's
 * own (ttl_s) shaped it. */
void shared_renewed(struct shared *shared, const struct renew *renew, int64_t ttl_s);
/* service->config was replaced: sessions of secrets that are gone, are made by another recipe, or
 * are not shared any more, are forgotten. */
void shared_config_changed(struct shared *shared);

/* What time brings: refreshes ahead, ends, audit lines. To be called every few seconds. */
void shared_tick(struct shared *shared);
/* Writes the audit lines that wait; before the store closes. */
void shared_flush(struct shared *shared);

#endif
