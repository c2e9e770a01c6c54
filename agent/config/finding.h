/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a configuration: one "file:line: reason" each. Not thread-safe; one per load. */
#ifndef KMS_AGENT_CONFIG_FINDING_H
#define KMS_AGENT_CONFIG_FINDING_H

#include "common/err.h"

#include <stddef.h>

#define FINDING_MAX 1024

struct findings {
    void (*report)(const char *finding, void *arg);
    void *arg;
    size_t count;
};

/* Reports one; line 0: the whole file. Values of key options must not be in the text. */
void finding_add(struct findings *findings, const char *file, int line, const char *format, ...)
    KMS_PRINTF(4, 5);

#endif
