/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of kms-agentd. Main thread. */
#ifndef KMS_AGENT_OPTIONS_H
#define KMS_AGENT_OPTIONS_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

struct options {
    const char *config_file;
    const char *socket, *state_directory; /* NULL: as configured */
    bool check, print_config, debug, help, version;
    const char *const *check_files; /* with check */
    size_t check_file_count;
};

/* 0, or KMS_EUSAGE with a sentence. Borrows argv. */
int options_parse(int argc, char **argv, struct options *ret, struct err *err) KMS_MUST_CHECK;
extern const char options_help[];

#endif
