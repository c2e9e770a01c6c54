/* SPDX-License-Identifier: Apache-2.0 */
#include "config/policy_grammar.h"

#include "model/partition.h"

#include <stdbool.h>
#include <string.h>

#define LETTERS_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define ARN_FIELDS 6

/* No action's name has one: whoever wrote it meant something else. (IAM has been seen to store
 * such an action, which then allows and denies nothing.) */
static bool has_blank(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return true;
    return false;
}

int policy_action_check(const char *action, struct err *err)
{
    const char *colon = strchr(action, ':');
    size_t service = strspn(action, LETTERS_DIGITS "-.");

    if (strcmp(action, "*") == 0)
        return 0;
    if (colon == NULL)
        return err_set(err, KMS_ECONFIG,
                       "action \"%.128s\" lacks the service before it (\"s3:GetObject\")", action);
    if (service == 0 || action + service != colon)
        return err_set(err, KMS_ECONFIG,
                       "action \"%.128s\": its service is not of letters, digits, - and . (no "
                       "wildcard either)",
                       action);
    if (colon[1] == '\0')
        return err_set(err, KMS_ECONFIG, "action \"%.128s\" ends at the colon", action);
    if (strchr(colon + 1, ':') != NULL)
        return err_set(err, KMS_ECONFIG, "action \"%.128s\" has more than one colon", action);
    if (has_blank(colon + 1))
        return err_set(err, KMS_ECONFIG, "action \"%.128s\" holds a blank", action);
    return 0;
}

/* Field n (from 0) of at most six: the last reaches to the end; the number of fields answers. */
static size_t arn_fields(const char *arn, const char *ret[ARN_FIELDS],
                         size_t ret_length[ARN_FIELDS])
{
    size_t n = 0;

    for (;;) {
        ret[n] = arn;
        ret_length[n] = n == ARN_FIELDS - 1 ? strlen(arn) : strcspn(arn, ":");
        arn += ret_length[n++];
        if (*arn == '\0')
            return n;
        arn++;
    }
}

/* AWS wants "*" or "user/…", "role/…" and so on; its list grows, so that only what has no kind at
 * all is refused. */
static bool iam_path_valid(const char *path)
{
    return strpbrk(path, "/*?$") != NULL;
}

int policy_resource_check(const char *resource, struct err *err)
{
    const char *field[ARN_FIELDS];
    size_t length[ARN_FIELDS], count = arn_fields(resource, field, length);
    bool iam;

    if (strcmp(resource, "*") == 0)
        return 0;
    if (count < 2 || length[0] != 3 || memcmp(resource, "arn", 3) != 0)
        return err_set(err, KMS_ECONFIG, "resource \"%.256s\" is neither an ARN nor \"*\"",
                       resource);
    if (count < 3 || length[2] == 0 || memchr(field[2], '*', length[2]) != NULL ||
        memchr(field[2], '?', length[2]) != NULL)
        return err_set(err, KMS_ECONFIG,
                       "resource \"%.256s\" must name its service, without wildcards", resource);
    if (count < ARN_FIELDS && strstr(resource, "::") != NULL)
        return err_set(err, KMS_ECONFIG, "resource \"%.256s\" has %zu of an ARN's %d fields",
                       resource, count, ARN_FIELDS);
    iam = length[2] == 3 && memcmp(field[2], "iam", 3) == 0;
    if (iam && count > 3 && length[3] > 0)
        return err_set(err, KMS_ECONFIG, "resource \"%.256s\": IAM has no regions", resource);
    if (iam && count == ARN_FIELDS && !iam_path_valid(field[5]))
        return err_set(err, KMS_ECONFIG,
                       "resource \"%.256s\" must end in \"*\" or say of what kind it is, as in "
                       "user/NAME or role/NAME",
                       resource);
    return 0;
}

/* Whether text matches the first length bytes of pattern, which may hold * and ?. */
static bool glob_match(const char *pattern, size_t length, const char *text)
{
    if (length == 0)
        return *text == '\0';
    if (*pattern == '*')
        return glob_match(pattern + 1, length - 1, text) ||
               (*text != '\0' && glob_match(pattern, length, text + 1));
    return *text != '\0' && (*pattern == '?' || *pattern == *text) &&
           glob_match(pattern + 1, length - 1, text + 1);
}

int policy_partition_check(const char *resource, const char *partition, const char *region,
                           struct err *err)
{
    char name[32];

    if (strcmp(resource, "*") == 0)
        return 0;
    if (arn_partition(resource, name, sizeof(name)) < 0)
        return err_set(err, KMS_ECONFIG, "resource \"%.256s\" has no partition", resource);
    if (!glob_match(name, strlen(name), partition))
        return err_set(err, KMS_ECONFIG,
                       "resource \"%.256s\" is in partition %s, but region %s is in %s", resource,
                       name, region, partition);
    return 0;
}

/* Takes prefix off the front, or leaves it. */
static const char *without(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);

    return strncmp(text, prefix, length) == 0 ? text + length : text;
}

int policy_operator_check(const char *name, struct err *err)
{
    static const char *const operators[] = {
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
        "DateEquals",
        "DateNotEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
        "Bool",
        "BinaryEquals",
        "IpAddress",
        "NotIpAddress",
        "ArnEquals",
        "ArnLike",
        "ArnNotEquals",
        "ArnNotLike",
        "Null",
    };
    const char *base = without(name, "ForAllValues:");

    if (base == name)
        base = without(name, "ForAnyValue:");
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        const char *rest = without(base, operators[i]);

        if (rest != base && (*rest == '\0' || strcmp(rest, "IfExists") == 0))
            return 0;
    }
    return err_set(err, KMS_ECONFIG, "\"%.64s\" is no condition operator", name);
}

int policy_condition_key_check(const char *key, struct err *err)
{
    if (strchr(key, ':') == NULL)
        return err_set(err, KMS_ECONFIG,
                       "condition key \"%.64s\" lacks the service before it (\"aws:SourceIp\")",
                       key);
    return 0;
}
