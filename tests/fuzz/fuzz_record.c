/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: lease and audit records. What decodes must survive a rewrite over itself. */
#include "store/record_codec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lease(const uint8_t *data, size_t size)
{
    static uint8_t buf[RECORD_BYTES_MAX];
    struct record_derived derived, derived_again;
    struct lease lease, again;
    struct err err;
    size_t len;

    if (record_decode_lease(data, size, &lease, &derived, &err) != 0)
        return;
    if (record_encode_lease(&lease, &derived, data, size, buf, sizeof buf, &len, &err) != 0)
        return; /* keys in a form that the cursor does not take, or too large */
    if (record_decode_lease(buf, len, &again, &derived_again, &err) != 0 ||
        memcmp(&lease, &again, sizeof lease) != 0 ||
        memcmp(&derived, &derived_again, sizeof derived) != 0)
        abort();
}

static void check_audit(const uint8_t *data, size_t size)
{
    static uint8_t buf[RECORD_BYTES_MAX];
    struct audit audit, again;
    struct err err;
    size_t len;

    if (record_decode_audit(data, size, &audit, &err) != 0)
        return;
    if (record_encode_audit(&audit, buf, sizeof buf, &len, &err) != 0 ||
        record_decode_audit(buf, len, &again, &err) != 0 ||
        memcmp(&audit, &again, sizeof audit) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_lease(data, size);
    check_audit(data, size);
    return 0;
}
