/* SPDX-License-Identifier: Apache-2.0 */
/* What a struct store is made of. */
#ifndef KMS_AGENT_STORE_STATE_H
#define KMS_AGENT_STORE_STATE_H

#include "store/env.h"
#include "store/space.h"
#include "store/txn.h"
#include "store/unwritten.h"
#include "store/writer.h"

#include <stdatomic.h>

#define STATE_SCAN_CHUNK                                                                           \
    256 /* records a list reads in one transaction, so that it pins pages only shortly */

struct store {
    struct env env;
    atomic_bool unswept;
    struct space space; /* the writer's */
    struct unwritten_set unwritten;
    struct writer writer;
};

#endif
