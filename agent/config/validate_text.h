/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of strings that are not AWS's own. Pure. Each check answers 0 or KMS_ECONFIG with the reason alone. */
#ifndef KMS_AGENT_CONFIG_VALIDATE_TEXT_H
#define KMS_AGENT_CONFIG_VALIDATE_TEXT_H

#include "common/err.h"

#include <stdbool.h>

/* https://HOST[:PORT]; http to loopback and the link-local metadata hosts alone. */
int check_endpoint(const char *text, struct err *err) KMS_MUST_CHECK;
int check_absolute_path(const char *text, struct err *err) KMS_MUST_CHECK;
int check_socket_path(const char *text, struct err *err) KMS_MUST_CHECK;
int check_agent_id(const char *text, struct err *err) KMS_MUST_CHECK;
int check_unit_name(const char *text, struct err *err) KMS_MUST_CHECK;
int check_secret_name(const char *text, struct err *err) KMS_MUST_CHECK;
/* Valid UTF-8 without control characters. */
int check_clean(const char *text, struct err *err) KMS_MUST_CHECK;
/* All of text is ASCII letters, digits or characters of others. */
bool text_is_of(const char *text, const char *others);

#endif
