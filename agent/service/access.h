/* SPDX-License-Identifier: Apache-2.0 */
/* Who may: policy applied to a peer, with the unit looked up only when it decides; denials, which tell nothing about
 * what exists, and their records. Loop thread. */
#ifndef KMS_AGENT_SERVICE_ACCESS_H
#define KMS_AGENT_SERVICE_ACCESS_H

#include "service/request.h"

#define DENIALS_PER_MINUTE 10 /* audit and journal lines of one uid */

/* The kernel told a uid that means somebody (not the overflow uid 65534, not −1). */
bool access_is_known(const struct peer *peer);
bool access_is_admin(const struct config *config, struct peer *peer);
/* The rule that lets peer have a credential of secret, or NULL. */
const struct rule *access_match(const struct secret_config *secret, struct peer *peer);
/* The lease is the peer's own. */
bool access_owns(struct peer *peer, const struct lease *lease);
/* Peer as owner or actor; rule may be NULL. */
void access_owner(const struct peer *peer, const struct rule *rule, struct lease_owner *ret);
/* As far as an owner keeps them. */
bool access_same_groups(const struct peer *peer, const struct lease_owner *owner);

/* The secret and the rule by which request's peer may have it; NULL: denied, request was answered and freed. */
const struct secret_config *access_secret(struct request *request, const char *name, const struct rule **ret_rule);
/* The secret if request's peer may have it or is an admin; NULL: denied, request was answered and freed. */
const struct secret_config *access_visible_secret(struct request *request, const char *name);
/* Reads the lease of params.lease_id for its owner, or for an admin if admins may: 0, or the request was answered and
 * freed. *ret_own (may be NULL): the peer is the owner. */
int access_lease(struct request *request, bool admins, struct lease *ret, bool *ret_own) KMS_MUST_CHECK;
/* Denies a peer that is nobody (see access_is_known), answers and frees. */
void access_deny_nobody(struct request *request);
/* Denies what only admins may, answers and frees. */
void access_deny_method(struct request *request, const char *what);

#endif
