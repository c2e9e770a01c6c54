/* SPDX-License-Identifier: Apache-2.0 */
#include "model/recipe.h"

#include <stddef.h>
#include <string.h>

static const char *const method_names[] = {
    [SECRET_ACCESS_KEY] = "access-key",
    [SECRET_ASSUME_ROLE] = "assume-role",
    [SECRET_IRSA] = "irsa",
};
static const char *const type_names[] = {
    [CREDENTIAL_IAM_USER] = "iam-user",
    [CREDENTIAL_SESSION] = "temporary-credentials",
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int name_find(const char *const *names, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], text) == 0)
            return (int)i;
    return -1;
}

const char *secret_method_name(enum secret_method method)
{
    return (size_t)method < COUNT(method_names) ? method_names[method] : "unknown";
}

const char *credential_type_name(enum credential_type type)
{
    return (size_t)type < COUNT(type_names) ? type_names[type] : "unknown";
}

int secret_method_parse(const char *text, enum secret_method *ret)
{
    int i = name_find(method_names, COUNT(method_names), text);

    if (i < 0)
        return -1;
    *ret = (enum secret_method)i;
    return 0;
}

int credential_type_parse(const char *text, enum credential_type *ret)
{
    int i = name_find(type_names, COUNT(type_names), text);

    if (i < 0)
        return -1;
    *ret = (enum credential_type)i;
    return 0;
}
