/* SPDX-License-Identifier: Apache-2.0 */
/* A credential as text: for credential_process, as JSON, as shell commands, as a dotenv file. Pure, libc
 * only, no allocation. All but formats_print_env() write secrets.
 */
#ifndef KMS_CLIENT_FORMATS_H
#define KMS_CLIENT_FORMATS_H

#include "client/exec_env.h"
#include "client/grant.h"
#include "common/mp.h"

#include <stdbool.h>
#include <stddef.h>

enum format {
    FORMAT_NONE,
    FORMAT_CREDENTIAL_PROCESS,
    FORMAT_JSON,
    FORMAT_ENV,
    FORMAT_DOTENV
};

/* Text being written; once it does not fit, `overflow` is set and nothing more is written. */
struct text_out {
    char *buf;
    size_t size, len;
    bool overflow;
};

/* FORMAT_NONE if there is no such format. */
enum format format_find(const char *name);

/* Writes the answer `result` (with its decoded form) in a format. */
void formats_write(enum format format, const struct grant *grant, struct mp_cursor result,
                   struct text_out *out);
/* What the plan does to the inherited environment, secrets masked. */
void formats_print_env(const struct exec_env_plan *plan, char *const *inherited,
                       struct text_out *out);

#endif
