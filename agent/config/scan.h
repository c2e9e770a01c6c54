/* SPDX-License-Identifier: Apache-2.0 */
/* What libconfig 1.5 would take without a word, looked for in the text before it sees it. Pure. */
#ifndef KMS_AGENT_CONFIG_SCAN_H
#define KMS_AGENT_CONFIG_SCAN_H

#include "config/finding.h"

/* Any line that starts with @include, in strings and comments too: libconfig follows it with no hook to stop it, past
 * the ownership rule. 0, or -1 after a finding. */
int scan_includes(const char *path, const char *text, struct findings *findings);
/* Whole numbers that do not fit: libconfig cuts them to 32 bits (4294967297 becomes 1). 0, or -1 after a finding. */
int scan_numbers(const char *path, const char *text, struct findings *findings);

#endif
