/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer with a credential shows; for the verbs issue and renew. */
#ifndef KMS_CLIENT_KMSCTL_CREDENTIAL_H
#define KMS_CLIENT_KMSCTL_CREDENTIAL_H

#include "client/kmsctl_print.h"

extern const struct field kmsctl_credential_fields[];

#endif
