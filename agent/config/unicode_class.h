/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 and the character classes of AWS tags. Pure. */
#ifndef KMS_AGENT_CONFIG_UNICODE_CLASS_H
#define KMS_AGENT_CONFIG_UNICODE_CLASS_H

#include <stdbool.h>
#include <stdint.h>

/* The regular expression class [\p{L}\p{Z}\p{N}]. */
bool unicode_is_letter_space_digit(uint32_t code_point);
/* Bytes of the character at text (1 to 4) and its code point; 0 when it is not UTF-8. NUL is a character of 1. */
unsigned unicode_next(const char *text, uint32_t *ret_code_point);

#endif
