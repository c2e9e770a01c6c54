/* SPDX-License-Identifier: Apache-2.0 */
/* Output of kmsctl: JSON as it came, or tables and lists described by rows of fields. */
#ifndef KMS_CLIENT_KMSCTL_PRINT_H
#define KMS_CLIENT_KMSCTL_PRINT_H

#include "client/kmsctl.h"

struct json_t; /* of jansson */

enum field_kind {
    FIELD_TEXT,     /* as it is */
    FIELD_SECONDS,  /* integer seconds as "1h30m" */
    FIELD_MS,       /* integer milliseconds as "2s500ms" */
    FIELD_BYTES,    /* "1.5 GiB" */
    FIELD_LEFT,     /* from now to a time, "47m12s", "ended" */
    FIELD_STATE,    /* the state of a lease with its flags */
    FIELD_SECRET    /* not where secrets are hidden */
};

/* A column of a table, or a line of a list; header NULL ends a row of fields. */
struct field {
    const char *header;
    const char *key;
    enum field_kind kind;
};

/* The value as text in buf, "" if there is none. */
void kmsctl_field_text(const struct kmsctl *ctl, const struct json_t *object, const struct field *field,
                       char *buf, size_t size);
/* "47m12s": the two largest units. */
void kmsctl_short_duration(int64_t ms, char *ret, size_t size);

/* Each prints to standard output; 0 or a KMS_E… (writing failed, out of memory). */
int kmsctl_print_json(const struct kmsctl *ctl, struct json_t *json, struct err *err) KMS_MUST_CHECK;
int kmsctl_print_table(const struct kmsctl *ctl, const struct json_t *rows, const struct field *fields,
                       struct err *err) KMS_MUST_CHECK;
/* One line per field that has a value. */
int kmsctl_print_object(const struct kmsctl *ctl, const struct json_t *object, const struct field *fields,
                        struct err *err) KMS_MUST_CHECK;
/* JSON if that was asked for, else the object. */
int kmsctl_print_answer(const struct kmsctl *ctl, struct json_t *object, const struct field *fields,
                        struct err *err) KMS_MUST_CHECK;
/* Flushes standard output and tells whether all was written. */
int kmsctl_print_flush(struct err *err) KMS_MUST_CHECK;

#endif
