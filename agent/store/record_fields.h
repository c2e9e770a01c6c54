/* SPDX-License-Identifier: Apache-2.0 */
/* Which field of which struct has which id in a stored record. Constants and pure
 * access to single fields. */
#ifndef KMS_AGENT_STORE_RECORD_FIELDS_H
#define KMS_AGENT_STORE_RECORD_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_ID_MAX 1023 /* ids are 1 … this */

enum record_kind {
    RECORD_BOOL,
    RECORD_UNSIGNED, /* 4 or 8 bytes, 0 … max; enums too */
    RECORD_SIGNED,   /* 4 or 8 bytes */
    RECORD_TEXT,     /* char[size], NUL-terminated, no NUL inside */
    RECORD_UUID,     /* 16 bytes */
    RECORD_GROUPS,   /* struct lease_groups, as an array: how many there are, then those kept */
};

struct record_field {
    uint16_t id;  /* never reused, never renumbered */
    uint8_t kind; /* enum record_kind */
    uint32_t offset, size;
    uint64_t max; /* RECORD_UNSIGNED: largest value accepted */
};

struct record_table {
    const struct record_field *fields; /* ascending ids */
    size_t count;
};

/* What the derived tables hold because of a lease record. It is stored in the record itself, so
 * that a later version that derives something else still finds and removes exactly what this one
 * wrote. */
struct record_derived {
    int64_t due_ms;      /* key of the due row */
    uint32_t due_action; /* enum due_action; DUE_NONE: no row */
    bool live, stuck, bound;
};

extern const struct record_table record_lease_table; /* struct lease */
extern const struct record_table
    record_derived_table; /* struct record_derived; ids apart from lease's */
extern const struct record_table record_audit_table;    /* struct audit */
extern const struct record_table record_root_key_table; /* struct root_key */

/* value points to the field inside its struct. Empty text counts as zero. */
bool record_field_is_zero(const struct record_field *field, const uint8_t *value);
/* Of kinds RECORD_UNSIGNED and RECORD_SIGNED. */
uint64_t record_field_unsigned(const struct record_field *field, const uint8_t *value);
int64_t record_field_signed(const struct record_field *field, const uint8_t *value);
/* 0, or -1: out of the field's range, *ret is untouched. */
int record_field_set_unsigned(const struct record_field *field, uint64_t number, uint8_t *ret);
int record_field_set_signed(const struct record_field *field, int64_t number, uint8_t *ret);

#endif
