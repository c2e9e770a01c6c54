/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"
#include "client/report.h"

#include <jansson.h>

#define NOT_READY 1
#define READY_ANSWER_MS 5000 /* a probe does not wait long */

/* For probes: nothing is printed when all is well, and every "no" is the same exit code. */
int kmsctl_ready(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *status = NULL, *answer = NULL;
    int rc = kmsctl_begin(ctl, METHOD_AGENT_STATUS, err);

    ctl->answer_ms = READY_ANSWER_MS;
    if (rc == 0)
        rc = kmsctl_run(ctl, &status, err);
    bool ready = rc == 0 && json_is_true(json_object_get(status, "ready"));
    const char *text = json_string_value(json_object_get(status, "status"));

    if (ctl->json) {
        answer = json_pack("{s:b, s:s}", "ready", ready, "status",
                           rc     ? err->message
                           : text ? text
                                  : "");
        if (!answer)
            return err_set(err, KMS_ENOMEM, "out of memory");
        rc = kmsctl_print_json(ctl, answer, err);
        return rc ? rc : ready ? 0 : NOT_READY;
    }
    if (rc)
        report_error("kmsctl", err);
    else if (!ready)
        report_line("kmsctl", "not ready: %s", text ? text : "");
    return ready ? 0 : NOT_READY;
}
