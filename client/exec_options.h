/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of kms-exec. Libc only. */
#ifndef KMS_CLIENT_EXEC_OPTIONS_H
#define KMS_CLIENT_EXEC_OPTIONS_H

#include "client/formats.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

struct exec_options {
    const char *secret, *region, *socket; /* NULL: not given */
    int64_t ttl_ms;                       /* -1: not given */
    int64_t min_ttl_ms, wait_ms;          /* 0: not given */
    bool keep, verbose, print_env, show, help, version;
    enum format format;
    char **command; /* NULL-terminated tail of argv; NULL if none was given */
};

/* 0, or KMS_EUSAGE. The command's own options are left alone. */
int exec_options_parse(int argc, char **argv, struct exec_options *ret, struct err *err)
    KMS_MUST_CHECK;
extern const char exec_options_help[];

#endif
