/* SPDX-License-Identifier: Apache-2.0 */
/* One AWS Query call: encode, sign, send, parse, classify. Never waits and never retries: the
 * caller's step loop does. Worker threads. */
#ifndef KMS_AGENT_AWS_CALL_H
#define KMS_AGENT_AWS_CALL_H

#include "aws/credential.h"
#include "aws/http.h"
#include "aws/query.h"
#include "aws/xml.h"
#include "common/err.h"
#include "model/partition.h"

#include <stdbool.h>

enum aws_service { AWS_IAM, AWS_STS };

/* What a failed call means for the step loop. */
enum aws_failure {
    AWS_FAILED_NOT,       /* it did not fail */
    AWS_FAILED_TRANSIENT, /* retry later; a change may have been applied when maybe_applied */
    AWS_FAILED_THROTTLED, /* retry later, tell the budget */
    AWS_FAILED_PERMANENT, /* AWS refused: AccessDenied, ValidationError, LimitExceeded … */
    AWS_FAILED_NOT_FOUND, /* NoSuchEntity */
    AWS_FAILED_EXISTS,    /* EntityAlreadyExists */
    AWS_FAILED_CONFLICT,  /* DeleteConflict */
    AWS_FAILED_CHANGING, /* EntityTemporarilyUnmodifiable, ConcurrentModification: minutes, retry */
    AWS_FAILED_CREDENTIAL, /* the signing credential is bad: InvalidClientTokenId, ExpiredToken,
                              SignatureDoesNotMatch */
    AWS_FAILED_UNTRUSTED,  /* the server's certificate is not trusted: it was not asked, and asking
                              again helps nobody who waits */
};

/* Where and as whom to call. Borrowed pointers, valid for the call. */
struct aws_target {
    struct http_client *http;
    const struct recipe *recipe;             /* endpoints, region, CA file */
    const struct aws_credential *credential; /* NULL: unsigned */
    bool (*canceled)(void *arg);
    void *canceled_arg;
    int64_t total_timeout_ms; /* 0: 10 s */
};

struct aws_result {
    enum aws_failure failure;
    bool maybe_applied; /* the request may have reached AWS although no answer did */
    bool denied_blind;  /* denied, and AWS did not name the user's ARN: a user that does not exist
                           (or is not visible yet) has no path, so a policy scoped by path denies
                           it; but a user that is there may be denied in the same words */
    int status;         /* HTTP status, 0 = none */
    int64_t retry_after_ms;
    char action[64];
    char request_id[80];
};

/* Sends query to the service; the answer's document in *ret_xml (xml_free() it; NULL on failure). 0
 * or a KMS_E… that fits result->failure, err naming action, AWS code and request id. AWS's message
 * is included unless it might echo a secret. */
int aws_call(const struct aws_target *target, enum aws_service service, const struct query *query,
             struct xml **ret_xml, struct aws_result *result, struct err *err) KMS_MUST_CHECK;
/* The answer was good XML but lacks what it must have: fills result and err as for a lost answer
 * (maybe_applied). */
int aws_answer_incomplete(const struct query *query, struct aws_result *result,
                          struct err *err) KMS_MUST_CHECK;

#endif
