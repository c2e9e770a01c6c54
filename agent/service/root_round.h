/* SPDX-License-Identifier: Apache-2.0 */
/* Rotations of management keys, one at a time: those that were asked for, and in the background the
 * end of those that were interrupted. Loop thread. */
#ifndef KMS_AGENT_SERVICE_ROOT_ROUND_H
#define KMS_AGENT_SERVICE_ROOT_ROUND_H

#include "service/request.h"

struct root_round;

int root_round_new(struct service *service, struct root_round **ret,
                   struct err *err) KMS_MUST_CHECK;
/* After the scheduler has ended its jobs. */
void root_round_free(struct root_round *round);
/* Looks at all records under today's configuration, and again every 30 s while a rotation is not
 * over. */
void root_round_start(struct root_round *round);
/* Rotates the key of secret (of request's configuration); answers and frees request. */
void root_round_rotate(struct root_round *round, struct request *request,
                       const struct secret_config *secret);

#endif
