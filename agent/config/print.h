/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration and the schema as text. */
#ifndef KMS_AGENT_CONFIG_PRINT_H
#define KMS_AGENT_CONFIG_PRINT_H

#include "config/config.h"

#include <stdio.h>

/* The effective configuration, in the syntax of a configuration file. */
void print_config(FILE *out, const struct config *config);
/* Every option with its type, default, what it goes with, and help, as comments of a configuration file. */
void print_schema(FILE *out);

#endif
