/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a rotation (rotate_steps.c up to the new key, rotate_finish.c from there,
 * rotate_clean.c after one that was interrupted), run by the loop in rotate_root.c. Worker threads.
 */
#ifndef KMS_AGENT_LEASE_ROTATE_PRIVATE_H
#define KMS_AGENT_LEASE_ROTATE_PRIVATE_H

#include "aws/iam_keys.h"
#include "lease/aws_access.h"
#include "lease/rotate_root.h"
#include "model/audit.h"

enum rotate_step {
    ROTATE_BEGIN, /* what the record says */
    ROTATE_USER,  /* whose key it is */
    ROTATE_LIST,  /* which keys there are */
    ROTATE_CLEAN, /* what an interrupted rotation left */
    ROTATE_INTENT,
    ROTATE_CREATE,
    ROTATE_SEAL,
    ROTATE_PROBE,
    ROTATE_SWITCH,
    ROTATE_DELETE,
    ROTATE_SETTLE,
    ROTATE_END,
};

struct rotation_progress {
    enum rotate_step step; /* the row that is run next; rows set it */
    struct lease_worker *worker;
    struct aws_access old; /* the key in force when the job began */
    struct aws_access new;
    struct aws_result result; /* of the row's last call */
    bool called;              /* the row called AWS since it was begun */
    struct retry retry;
    struct iam_keys keys;
    unsigned good;          /* probes in a row that went well */
    bool probed_sts;        /* of the probe under way */
    int64_t probe_until_ms; /* boot clock; 0: not begun */
};

typedef int rotate_row_fn(struct rotation *rotation, struct err *err);
rotate_row_fn rotate_begin, rotate_user, rotate_list, rotate_clean, rotate_intent, rotate_create,
    rotate_seal;
rotate_row_fn rotate_probe, rotate_switch, rotate_delete, rotate_settle;

/* Makes the old (new: the new) key ready for one call and takes it from the budget. 0, KMS_EAGAIN,
 * KMS_ESOURCE. */
int rotate_open_old(struct rotation *rotation, struct err *err) KMS_MUST_CHECK;
int rotate_open_new(struct rotation *rotation, enum aws_service service,
                    struct err *err) KMS_MUST_CHECK;
/* Nothing of the intent is left: as if it had not been. audit (NULL: none) in the same commit. */
int rotate_abandon(struct rotation *rotation, const struct audit *audit,
                   struct err *err) KMS_MUST_CHECK;
/* After a failure: an intent of which no key can have come is taken back. */
void rotate_give_up(struct rotation *rotation);
/* The call was refused because AWS does not know its key (yet). */
bool rotate_is_unknown_key(const struct rotation *rotation);

#endif
