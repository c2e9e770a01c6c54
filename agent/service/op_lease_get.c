/* SPDX-License-Identifier: Apache-2.0 */
#include "service/access.h"
#include "service/answer.h"
#include "service/ops.h"

void op_lease_get(struct request *request)
{
    struct wire_writer writer = {0};
    struct lease lease;

    if (access_lease(request, true, &lease, NULL) != 0)
        return;
    wire_begin_result(&writer, request->msgid);
    answer_put_lease(&writer, &lease);
    request_answer(request, &writer, NULL, NULL);
}
