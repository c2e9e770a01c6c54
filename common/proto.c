/* SPDX-License-Identifier: Apache-2.0 */
#include "common/proto.h"

#include <string.h>

struct method_row {
    const char *wire;
    enum kms_access access;
};

static const struct method_row methods[METHOD_COUNT] = {
#define KMS_METHOD(name, wire, access) [METHOD_##name] = {(wire), ACCESS_##access},
#include "common/ops.def"
};

const char *proto_method_name(enum kms_method method)
{
    return (unsigned)method < METHOD_COUNT ? methods[method].wire : NULL;
}

int proto_method_find(const char *name, unsigned long len)
{
    for (int i = 0; i < METHOD_COUNT; i++)
        if (strlen(methods[i].wire) == len && memcmp(methods[i].wire, name, len) == 0)
            return i;
    return -1;
}

/* A method that does not exist is nobody's: the strictest answer. */
enum kms_access proto_method_access(enum kms_method method)
{
    return (unsigned)method < METHOD_COUNT ? methods[method].access : ACCESS_ADMIN;
}
