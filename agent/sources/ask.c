/* SPDX-License-Identifier: Apache-2.0 */
/* One request to a metadata or container credentials service, and what its failure means: who does
 * not answer, has trouble of its own or is asked too often will answer later; who refuses will
 * not. */
#include "sources/source.h"

static int judge_unanswered(int rc, const char *what, struct err *err)
{
    err_context(err, "%s", what);
    switch (rc) {
    case KMS_ENOMEM:
    case KMS_ECANCELED:
        return rc;
    case KMS_ETIMEOUT:
    case KMS_EAWSDOWN:
        rc = KMS_EAWSDOWN;
        break;
    default: /* a URL or a header that is not allowed */
        rc = KMS_ESOURCE;
        break;
    }
    if (err != NULL)
        err->code = rc;
    return rc;
}

int source_ask(const struct source_fetch *fetch, const struct http_request *request,
               const char *what, struct http_response *ret, struct err *err)
{
    bool later;
    int rc = http_perform(fetch->http, request, ret, err);

    if (rc != 0)
        return judge_unanswered(rc, what, err);
    if (ret->status == 200)
        return 0;
    later = ret->status == 429 || ret->status >= 500;
    return err_set(err, later ? KMS_EAWSDOWN : KMS_ESOURCE, "%s answered HTTP status %d", what,
                   ret->status);
}
