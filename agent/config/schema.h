/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of options: parser, checks, `--print-config` and the manual page follow it. Constants. */
#ifndef KMS_AGENT_CONFIG_SCHEMA_H
#define KMS_AGENT_CONFIG_SCHEMA_H

#include "common/err.h"
#include "model/recipe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_section { SECTION_AGENT, SECTION_SECRET };

/* What is written, and what it is stored as (in agent_config or secret_config). */
enum option_type {
    OPTION_STRING,       /* char *, malloc'd, NULL when not set */
    OPTION_TEXT,         /* char[size] */
    OPTION_LIST,         /* struct string_list */
    OPTION_SECONDS,      /* duration, int64_t seconds */
    OPTION_MS,           /* duration, int64_t milliseconds */
    OPTION_BOOL,         /* bool */
    OPTION_UINT,         /* uint32_t */
    OPTION_FLOAT,        /* double */
    OPTION_SIZE,         /* bytes with K, M, G or T (1024), uint64_t */
    OPTION_MODE,         /* octal digits in a string, uint32_t */
    OPTION_GROUP,        /* a group's name or gid, uint32_t */
    OPTION_DOCUMENT,     /* JSON or "@file", char *, minified */
    OPTION_DOCUMENTS,    /* the same, struct string_list */
    OPTION_RULES,        /* struct rule_list */
    OPTION_TAGS,         /* struct tag * at offset, size_t at count_offset */
    OPTION_METHOD,       /* enum secret_method */
    OPTION_CREDENTIAL,   /* enum credential_type */
    OPTION_SHARE,        /* enum share_mode */
};

/* Bit of a pair of method and credential type in option.applies. */
#define OPTION_PAIR(method, type) (1u << (((unsigned)(method) << 1) | (unsigned)(type)))

struct option {
    enum option_section section;
    const char *name;
    enum option_type type;
    size_t offset, size, count_offset;
    const char *default_text;  /* NULL: not set, or see default_note */
    const char *default_note;  /* default in words, for people */
    double min, max;           /* numbers and durations (in the stored unit), lists: most elements; both 0: no limit */
    const char *max_why;       /* lists: whose limit max is, a clause; NULL: our own */
    bool any_case;             /* lists: elements that differ in case only are the same at AWS */
    unsigned applies;          /* secrets: OPTION_PAIR() bits */
    bool shapes;               /* part of the digest: it shapes the credential */
    bool secretive;            /* never repeat the value in a message */
    int (*check)(const char *text, struct err *err);  /* each string and list element; NULL: none */
    const char *help;
};

extern const struct option schema_options[];
extern const size_t schema_option_count;
#define SCHEMA_OPTION_MAX 64  /* upper limit of schema_option_count */

/* NULL if the section has no such option. */
const struct option *schema_find(enum option_section section, const char *name);
/* The option of the section that name was probably meant to be, or NULL. */
const char *schema_suggest(enum option_section section, const char *name);
/* "string", "list", … for people. */
const char *schema_type_name(enum option_type type);

#endif
