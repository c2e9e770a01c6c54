/* SPDX-License-Identifier: Apache-2.0 */
/* For fuzzers and tests; config_load() and config_check() of config.h are in load.c too. */
#ifndef KMS_AGENT_CONFIG_LOAD_H
#define KMS_AGENT_CONFIG_LOAD_H

#include <stddef.h>

/* Checks text (NUL-terminated, len bytes) as if it stood in a file called path, without opening a file or asking NSS.
 * Answers how many findings there were; report may be NULL. */
size_t load_check_text(const char *path, const char *text, size_t len,
                       void (*report)(const char *finding, void *arg), void *arg);

#endif
