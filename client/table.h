/* SPDX-License-Identifier: Apache-2.0 */
/* Text tables: a header, aligned columns, two spaces between them. Libc only; one thread. */
#ifndef KMS_CLIENT_TABLE_H
#define KMS_CLIENT_TABLE_H

#include "common/err.h"

#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

struct table;

/* A table of that many columns (at most TABLE_COLUMNS_MAX); headers are copied, NULL for none. NULL when out
 * of memory. */
struct table *table_new(unsigned columns, const char *const *headers);
void table_free(struct table *table);
/* Copies one cell per column; NULL and "" are shown as "-". 0 or KMS_ENOMEM. */
int table_add(struct table *table, const char *const *cells) KMS_MUST_CHECK;
/* Control characters come out as "?", columns are as wide as their widest cell. */
void table_print(const struct table *table, FILE *to);

#endif
