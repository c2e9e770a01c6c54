/* SPDX-License-Identifier: Apache-2.0 */
/* Peers' words in our sentences. Pure. */
#ifndef KMS_AGENT_SERVICE_TEXT_H
#define KMS_AGENT_SERVICE_TEXT_H

#include <stddef.h>

#define TEXT_QUOTE_SIZE 72

/* The first bytes of what a peer said, printable ASCII with "?" for the rest, "…" when cut: for error texts and logs. */
void text_quote(const char *text, size_t len, char ret[TEXT_QUOTE_SIZE]);

#endif
