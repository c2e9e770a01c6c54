/* SPDX-License-Identifier: Apache-2.0 */
/* The files secrets.d/ *.conf beside a configuration file. Blocks on files. */
#ifndef KMS_AGENT_CONFIG_DROP_INS_H
#define KMS_AGENT_CONFIG_DROP_INS_H

#include "config/config.h"
#include "config/finding.h"

#define DROP_INS_DIRECTORY "secrets.d"
#define DROP_INS_MAX 4096

/* Appends their paths in byte order; none when there is no such directory. A directory that others may write to is
 * a finding. 0 or KMS_ENOMEM. */
int drop_ins_list(const char *file, struct findings *findings, struct string_list *ret) KMS_MUST_CHECK;

#endif
