/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the credential documents of metadata services. A document is taken whole or not at
 * all. */
#include "sources/source.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void prepare(void)
{
    static bool done;
    struct err err;

    if (done)
        return;
    if (secret_heap_init(&err) != 0)
        abort();
    source_json_init();
    done = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aws_credential credential = {0};
    struct err err;
    int rc;

    prepare();
    rc = source_json_credential((const char *)data, size, "it", &credential, &err);
    if (rc != 0 && (credential.access_key_id[0] != '\0' || err.code != rc))
        abort();
    if (rc == 0 &&
        (credential.access_key_id[0] == '\0' || secret_empty(&credential.secret_access_key) ||
         secret_empty(&credential.session_token) || credential.expires_ms < 0))
        abort();
    aws_credential_done(&credential);
    return 0;
}
