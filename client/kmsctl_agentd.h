/* SPDX-License-Identifier: Apache-2.0 */
/* Running kms-agentd for the verbs that are its own: check and config. */
#ifndef KMS_CLIENT_KMSCTL_AGENTD_H
#define KMS_CLIENT_KMSCTL_AGENTD_H

#include "client/kmsctl.h"

/* Executes kms-agentd with one option and the verb's arguments, in place of this process; with --json as a
 * child whose output becomes {"ok", "exit_code", "lines"}. Returns like a verb. */
int kmsctl_agentd(struct kmsctl *ctl, const char *option, struct err *err);

#endif
