/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration in force, for lease work that begins on a worker; and which frozen management
 * credentials AWS refused of late. Any thread. */
#ifndef KMS_AGENT_LEASE_TODAY_H
#define KMS_AGENT_LEASE_TODAY_H

#include "config/config.h"

struct today;

int today_new(struct config *config, struct today **ret, struct err *err) KMS_MUST_CHECK;
void today_free(struct today *today);
/* After a reload: from now on config is in force, and every credential is tried again. */
void today_set(struct today *today, struct config *config);
/* A reference to what is in force. */
struct config *today_config(struct today *today);

/* The management credentials of recipe did not work, why says how. For a minute they need not be
 * tried again by each of its leases. */
void today_note_refused(struct today *today, const struct recipe *recipe, const struct err *why);
/* Whether they were refused within the last minute, and how (in *ret). */
bool today_is_refused(struct today *today, const struct recipe *recipe, struct err *ret);

#endif
