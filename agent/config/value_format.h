/* SPDX-License-Identifier: Apache-2.0 */
/* Values by type: to text, and their memory. */
#ifndef KMS_AGENT_CONFIG_VALUE_FORMAT_H
#define KMS_AGENT_CONFIG_VALUE_FORMAT_H

#include "config/config.h"
#include "config/schema.h"

#include <stdbool.h>
#include <stdio.h>

/* Writes the value as it may be written in a configuration file; target: agent_config or secret_config. */
void value_format(FILE *out, const struct option *option, const void *target);
/* Not set and without a default. */
bool value_is_unset(const struct option *option, const void *target);
/* Frees what value_set() allocated. */
void value_done(const struct option *option, void *target);

void string_list_done(struct string_list *list);
/* Appends a copy; 0 or KMS_ENOMEM. */
int string_list_add(struct string_list *list, const char *item) KMS_MUST_CHECK;

#endif
