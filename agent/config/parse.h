/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax (libconfig): text to sections of named values with their lines. Knows no option. */
#ifndef KMS_AGENT_CONFIG_PARSE_H
#define KMS_AGENT_CONFIG_PARSE_H

#include "config/finding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum parsed_kind { PARSED_STRING, PARSED_INT, PARSED_FLOAT, PARSED_BOOL, PARSED_LIST, PARSED_OTHER };

struct parsed_value {
    char *name;
    int line;
    enum parsed_kind kind;
    char *text;          /* PARSED_STRING */
    int64_t integer;     /* PARSED_INT */
    double real;         /* PARSED_FLOAT, and PARSED_INT as such */
    bool boolean;        /* PARSED_BOOL */
    char **items;        /* PARSED_LIST: strings */
    size_t item_count;
};

struct parsed_section {
    char *name;          /* of the secret; "agent" */
    int line;
    struct parsed_value *values;
    size_t count;
};

struct parsed {
    char *path;          /* as given, for findings and for relative @files */
    struct parsed_section *agent;  /* NULL: none */
    struct parsed_section *secrets;
    size_t secret_count;
};

/* Parses text (NUL-terminated, len bytes without NULs) that came from path. 0 with *ret filled, or -1 with one finding
 * or more; parsed_done() in both cases. */
int parse_text(const char *path, const char *text, size_t len, struct findings *findings, struct parsed *ret)
    KMS_MUST_CHECK;
/* Reads the file (ownership.h) and parses it. */
int parse_file(const char *path, struct findings *findings, struct parsed *ret) KMS_MUST_CHECK;
void parsed_done(struct parsed *parsed);

#endif
