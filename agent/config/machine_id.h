/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's id where none is configured. */
#ifndef KMS_AGENT_CONFIG_MACHINE_ID_H
#define KMS_AGENT_CONFIG_MACHINE_ID_H

#include "common/err.h"

#define MACHINE_ID_FILE "/etc/machine-id"
#define MACHINE_AGENT_ID_SIZE 22  /* "host-", 16 hex digits, NUL */

/* "host-" and 16 hex digits derived from the machine id in file. The id itself is confidential (machine-id(5)), so a
 * hash of it with the application's name goes out. KMS_ECONFIG when there is no machine id. */
int machine_agent_id(const char *file, char ret[MACHINE_AGENT_ID_SIZE], struct err *err) KMS_MUST_CHECK;

#endif
