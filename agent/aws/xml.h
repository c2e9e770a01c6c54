/* SPDX-License-Identifier: Apache-2.0 */
/* AWS XML answers as a small tree (expat; no DTD, depth ≤ 32, size ≤ 1 MiB, ≤ 20,000 elements).
 * Text in wiping memory. */
#ifndef KMS_AGENT_AWS_XML_H
#define KMS_AGENT_AWS_XML_H

#include "common/err.h"

#include <stddef.h>

struct xml; /* an element; the root is the document */

int xml_parse(const char *text, size_t len, struct xml **ret, struct err *err) KMS_MUST_CHECK;
void xml_free(struct xml *root);
const char *xml_name(const struct xml *element);
/* Text of the element itself; "" if none; never NULL. */
const char *xml_text(const struct xml *element);
/* Element at a path below, e.g. "CreateUserResult/User/UserId"; NULL if missing. element NULL gives
 * NULL. */
const struct xml *xml_find(const struct xml *element, const char *path);
/* Text at a path, "" if missing. */
const char *xml_get(const struct xml *element, const char *path);
/* First child and next sibling, NULL at the end (for "member" lists). */
const struct xml *xml_child(const struct xml *element);
const struct xml *xml_next(const struct xml *element);
/* Code, message and request id of an error document with either root (ErrorResponse,
 * Response/Errors); 0 or -1. */
int xml_error(const struct xml *root, const char **ret_code, const char **ret_message,
              const char **ret_request_id);

#endif
