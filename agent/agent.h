/* SPDX-License-Identifier: Apache-2.0 */
/* The running agent: everything constructed in order, destroyed in exact reverse. Main (loop)
 * thread. */
#ifndef KMS_AGENT_AGENT_H
#define KMS_AGENT_AGENT_H

#include "options.h"

/* Runs until SIGTERM or SIGINT; the process's exit status. */
int agent_run(const struct options *options);

#endif
