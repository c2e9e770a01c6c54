/* SPDX-License-Identifier: Apache-2.0 */
/* One section while it is being built: where it came from, which option stood on which line, what was found. */
#ifndef KMS_AGENT_CONFIG_DRAFT_H
#define KMS_AGENT_CONFIG_DRAFT_H

#include "config/finding.h"
#include "config/parse.h"
#include "config/resolve.h"
#include "config/schema.h"

#include <stdbool.h>

/* Shared by all sections of one load. */
struct loader {
    struct findings findings;
    struct resolver resolver;
    bool offline;  /* fuzzers: open no file */
};

struct draft {
    struct loader *loader;
    const char *file;
    const struct parsed_section *section;
    enum option_section kind;
    void *target;                  /* struct agent_config or secret_config */
    int line[SCHEMA_OPTION_MAX];   /* by index into schema_options; 0: not set */
    bool bad[SCHEMA_OPTION_MAX];   /* a finding was reported: what follows from the value is not worth another */
};

/* 'secret "deploy": default_ttl: REASON' at the option's line (NULL or not set: the section's). */
void draft_finding(struct draft *draft, const char *option, const char *format, ...) KMS_PRINTF(3, 4);
/* Whether the file sets the option. */
bool draft_has(const struct draft *draft, const char *option);
/* Whether the option's own value was refused. */
bool draft_is_bad(const struct draft *draft, const char *option);
/* Sets every value of the section and the defaults of the rest; findings are reported. */
void draft_fill(struct draft *draft);

#endif
