/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of kmsctl, with answers as JSON values. One thread. */
#ifndef KMS_CLIENT_KMSCTL_WIRE_H
#define KMS_CLIENT_KMSCTL_WIRE_H

#include "client/kmsctl.h"

struct json_t; /* of jansson */

/* Decodes one MessagePack value that has passed mp_check. A new reference, NULL when out of memory. Text that
 * is not UTF-8 comes out with question marks; binary and extension values come out as null. */
struct json_t *kmsctl_wire_decode(struct mp_cursor value);

/* Connects if that has not been done, and starts a request; then call_put_…(ctl->call, …). */
int kmsctl_begin(struct kmsctl *ctl, enum kms_method method, struct err *err) KMS_MUST_CHECK;
/* Runs the request. *ret is a new reference to a JSON object. */
int kmsctl_run(struct kmsctl *ctl, struct json_t **ret, struct err *err) KMS_MUST_CHECK;
/* Whether this peer is an administrator: the agent tells only them of management identities. */
int kmsctl_is_admin(struct kmsctl *ctl, bool *ret, struct err *err) KMS_MUST_CHECK;
/* Runs a list method page by page until ctl->limit rows: `begin` puts the parameters but limit and cursor.
 * *ret is an object with all rows under `rows_key` (and "cursor", where the limit cut the list short). */
typedef void kmsctl_params_fn(struct kmsctl *ctl);
int kmsctl_run_list(struct kmsctl *ctl, enum kms_method method, kmsctl_params_fn *params,
                    const char *rows_key, struct json_t **ret, struct err *err) KMS_MUST_CHECK;

#endif
