/* SPDX-License-Identifier: Apache-2.0 */
/* One batch of operations: transactions, commits, replay. See writer.h for the rules. */
#ifndef KMS_AGENT_STORE_BATCH_H
#define KMS_AGENT_STORE_BATCH_H

#include "store/writer.h"

/* Runs writer->batch and sets rc and err of each operation. Writer thread. After a fatal failure
 * (on_fatal was called) every operation gets KMS_ESTORE and nothing is committed any more. */
void batch_run(struct writer *writer);

#endif
