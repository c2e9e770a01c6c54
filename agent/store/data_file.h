/* SPDX-License-Identifier: Apache-2.0 */
/* The store's file, made so that a loss of power never leaves half of it under its name. */
#ifndef KMS_AGENT_STORE_DATA_FILE_H
#define KMS_AGENT_STORE_DATA_FILE_H

#include "common/err.h"
#include "store/directory.h"

/* Makes an empty data.mdb where there is none, or one of no length: under another name, synced,
 * then renamed. 0, or an LMDB result. Before LMDB opens the directory; its lock is held. */
int data_file_make(const struct directory *directory) KMS_MUST_CHECK;

#endif
