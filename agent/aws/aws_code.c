/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/aws_code.h"

#include <string.h>

#define MESSAGE_MAX 300

struct code_row {
    const char *code;
    struct aws_meaning meaning;
};

#define THROTTLED                                                                                  \
    {                                                                                              \
        AWS_FAILED_THROTTLED, KMS_EAWSTHROTTLED, false                                             \
    }
#define TRANSIENT                                                                                  \
    {                                                                                              \
        AWS_FAILED_TRANSIENT, KMS_EAWSDOWN, false                                                  \
    }
#define CHANGING                                                                                   \
    {                                                                                              \
        AWS_FAILED_CHANGING, KMS_ECONFLICT, false                                                  \
    }
#define DENIED                                                                                     \
    {                                                                                              \
        AWS_FAILED_PERMANENT, KMS_EAWSDENIED, false                                                \
    }
#define BAD_KEY                                                                                    \
    {                                                                                              \
        AWS_FAILED_CREDENTIAL, KMS_ESOURCE, false                                                  \
    }
#define BAD_SIGNATURE                                                                              \
    {                                                                                              \
        AWS_FAILED_CREDENTIAL, KMS_ESOURCE, true                                                   \
    }
#define BAD_TIME                                                                                   \
    {                                                                                              \
        AWS_FAILED_TRANSIENT, KMS_ECLOCK, true                                                     \
    }

static const struct code_row rows[] = {
    {"NoSuchEntity", {AWS_FAILED_NOT_FOUND, KMS_ENOENTITY, false}},
    {"EntityAlreadyExists", {AWS_FAILED_EXISTS, KMS_EEXISTS, false}},
    {"DeleteConflict", {AWS_FAILED_CONFLICT, KMS_ECONFLICT, false}},
    {"EntityTemporarilyUnmodifiable", CHANGING},
    {"ConcurrentModification", CHANGING},
    /* IAM's quota; its namesake LimitExceededException is a throttle of other services. */
    {"LimitExceeded", {AWS_FAILED_PERMANENT, KMS_EAWSLIMIT, false}},
    {"AccessDenied", DENIED},
    {"AccessDeniedException", DENIED},
    {"UnauthorizedOperation", DENIED},
    {"NotAuthorized", DENIED},

    {"Throttling", THROTTLED},
    {"ThrottlingException", THROTTLED},
    {"ThrottledException", THROTTLED},
    {"RequestThrottledException", THROTTLED},
    {"RequestThrottled", THROTTLED},
    {"TooManyRequestsException", THROTTLED},
    {"ProvisionedThroughputExceededException", THROTTLED},
    {"TransactionInProgressException", THROTTLED},
    {"RequestLimitExceeded", THROTTLED},
    {"BandwidthLimitExceeded", THROTTLED},
    {"LimitExceededException", THROTTLED},
    {"SlowDown", THROTTLED},
    {"PriorRequestNotComplete", THROTTLED},
    {"EC2ThrottledException", THROTTLED},

    {"RequestTimeout", TRANSIENT},
    {"RequestTimeoutException", TRANSIENT},
    {"InternalError", TRANSIENT},
    {"InternalFailure", TRANSIENT},
    {"ServiceFailure", TRANSIENT},
    {"ServiceUnavailable", TRANSIENT},
    {"IDPCommunicationError", TRANSIENT},

    {"InvalidClientTokenId", BAD_KEY},
    {"InvalidAccessKeyId", BAD_KEY},
    {"UnrecognizedClientException", BAD_KEY},
    {"ExpiredToken", BAD_KEY},
    {"ExpiredTokenException", BAD_KEY},
    {"TokenRefreshRequired", BAD_KEY},
    {"AuthFailure", BAD_KEY},
    {"InvalidIdentityToken", {AWS_FAILED_CREDENTIAL, KMS_ESOURCE, true}},
    {"IDPRejectedClaim", {AWS_FAILED_PERMANENT, KMS_EAWSDENIED, true}},
    {"SignatureDoesNotMatch", BAD_SIGNATURE},
    {"InvalidSignatureException", BAD_SIGNATURE},
    {"IncompleteSignature", BAD_SIGNATURE},
    {"MissingAuthenticationToken", BAD_SIGNATURE},
    {"RequestExpired", BAD_TIME},
    {"RequestTimeTooSkewed", BAD_TIME},
};

static bool is_signature_time(const char *message)
{
    return strstr(message, "Signature expired") != NULL ||
           strstr(message, "Signature not yet current") != NULL;
}

static struct aws_meaning status_meaning(int status)
{
    if (status == 429)
        return (struct aws_meaning)THROTTLED;
    if (status == 408 || status >= 500 || status < 300)
        return (struct aws_meaning)TRANSIENT;
    return (struct aws_meaning){AWS_FAILED_PERMANENT, KMS_EAWSREJECTED, false};
}

struct aws_meaning aws_code_meaning(const char *code, const char *message, int status)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(code, rows[i].code) != 0)
            continue;
        /* AWS tells a wrong clock by the code of a wrong signature. */
        if (rows[i].meaning.failure == AWS_FAILED_CREDENTIAL && is_signature_time(message))
            return (struct aws_meaning)BAD_TIME;
        return rows[i].meaning;
    }
    return status_meaning(status);
}

int aws_code_denied_action(const char *message, char *ret, size_t size)
{
    static const char phrase[] = "not authorized to perform: ";
    const char *action = strstr(message, phrase);
    size_t len;

    if (action == NULL)
        return -1;
    action += sizeof(phrase) - 1;
    len = strspn(action, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-:");
    if (len == 0 || len >= size || memchr(action, ':', len) == NULL)
        return -1;
    memcpy(ret, action, len);
    ret[len] = '\0';
    return 0;
}

bool aws_code_denied_blind(const char *message)
{
    static const char phrase[] = " on resource: user ";
    const char *name = strstr(message, phrase);

    return strstr(message, "not authorized to perform: iam:") != NULL && name != NULL &&
           strncmp(name + sizeof(phrase) - 1, "arn:", 4) != 0;
}

void aws_code_clean(const char *message, char *ret, size_t size)
{
    size_t len = strlen(message), max = size - 1 < MESSAGE_MAX ? size - 1 : MESSAGE_MAX;

    if (len > max) {
        len = max;
        while (len > 0 && ((unsigned char)message[len] & 0xc0) == 0x80)
            len--; /* not in the middle of a character */
    }
    for (size_t i = 0; i < len; i++)
        ret[i] = (unsigned char)message[i] < ' ' || message[i] == 0x7f ? ' ' : message[i];
    ret[len] = '\0';
}
