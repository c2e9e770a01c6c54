/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate_aws.h"

#include "config/unicode_class.h"
#include "config/validate_text.h"
#include "model/name.h"
#include "model/partition.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_OTHERS "_+=,.@-" /* [\w+=,.@-] */
#define ARN_MIN 20
#define POLICY_NAME_MAX 128
#define TAG_KEY_MAX 128
#define TAG_VALUE_MAX 256

int check_region(const char *text, struct err *err)
{
    if (partition_of_region(text) == NULL)
        return err_set(err, KMS_ECONFIG, "\"%s\" is not an AWS region (eu-west-1 is one)", text);
    return 0;
}

static bool path_valid(const char *text, size_t length)
{
    if (length == 0 || length == 2 || length > IAM_PATH_MAX || text[0] != '/' ||
        text[length - 1] != '/')
        return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] < 0x21 || text[i] > 0x7e)
            return false;
    return true;
}

int check_iam_path(const char *text, struct err *err)
{
    if (!path_valid(text, strlen(text)))
        return err_set(
            err, KMS_ECONFIG,
            "\"%s\" is not an IAM path: \"/\", or printable ASCII without blanks between "
            "two \"/\", at most %d characters",
            text, IAM_PATH_MAX);
    return 0;
}

int check_iam_name(const char *text, struct err *err)
{
    if (strlen(text) > 128 || !text_is_of(text, NAME_OTHERS))
        return err_set(err, KMS_ECONFIG, "\"%s\" is not 1 to 128 of letters, digits and _+=,.@-",
                       text);
    return 0;
}

/* The resource part of an IAM ARN, "policy/path/name": KIND, then an IAM path, then a name. */
static bool resource_valid(const char *resource, const char *kind, size_t name_max)
{
    size_t kind_length = strlen(kind), name_length;
    const char *path = resource + kind_length, *name;

    if (strncmp(resource, kind, kind_length) != 0 || *path != '/')
        return false;
    name = strrchr(path, '/') + 1;
    name_length = strlen(name);
    return path_valid(path, (size_t)(name - path)) && name_length > 0 && name_length <= name_max &&
           text_is_of(name, NAME_OTHERS);
}

/* arn:PARTITION:iam::ACCOUNT:RESOURCE; aws_account: AWS's own policies have "aws" for the account.
 */
static bool iam_arn_valid(const char *text, const char *kind, size_t name_max, bool aws_account)
{
    char partition[32], account[AWS_ACCOUNT_MAX + 1], head[96];
    size_t length = strlen(text);

    if (length < ARN_MIN || length > AWS_ARN_MAX ||
        arn_partition(text, partition, sizeof(partition)) < 0)
        return false;
    if (arn_account(text, account) < 0) {
        if (!aws_account)
            return false;
        snprintf(account, sizeof(account), "aws");
    }
    snprintf(head, sizeof(head), "arn:%s:iam::%s:", partition, account);
    return strncmp(text, head, strlen(head)) == 0 &&
           resource_valid(text + strlen(head), kind, name_max);
}

int check_policy_arn(const char *text, struct err *err)
{
    if (!iam_arn_valid(text, "policy", POLICY_NAME_MAX, true))
        return err_set(err, KMS_ECONFIG,
                       "\"%.300s\" is not the ARN of a managed policy "
                       "(arn:aws:iam::ACCOUNT:policy/NAME)",
                       text);
    return 0;
}

int check_role_arn(const char *text, struct err *err)
{
    if (!iam_arn_valid(text, "role", 64, false))
        return err_set(err, KMS_ECONFIG,
                       "\"%.300s\" is not the ARN of a role (arn:aws:iam::ACCOUNT:role/NAME)",
                       text);
    return 0;
}

int check_external_id(const char *text, struct err *err)
{
    size_t length = strlen(text);

    if (length < 2 || length > EXTERNAL_ID_MAX || !text_is_of(text, "_+=,.@:/-"))
        return err_set(err, KMS_ECONFIG, "is not 2 to %d of letters, digits and _+=,.@:/-",
                       EXTERNAL_ID_MAX);
    return 0;
}

/* [\p{L}\p{Z}\p{N}_.:/=+\-@]; length in characters, SIZE_MAX when another is in it. */
static size_t tag_length(const char *text, size_t bytes)
{
    size_t count = 0;
    uint32_t code_point;

    for (const char *p = text; p < text + bytes; count++) {
        unsigned length = unicode_next(p, &code_point);

        if (length == 0 || (!unicode_is_letter_space_digit(code_point) &&
                            (code_point >= 0x80 || strchr("_.:/=+-@", (int)code_point) == NULL)))
            return SIZE_MAX;
        p += length;
    }
    return count;
}

int check_tag(const char *text, struct err *err)
{
    const char *equals = strchr(text, '=');
    size_t key, value;

    if (equals == NULL)
        return err_set(err, KMS_ECONFIG, "tag \"%.128s\" is not of the form key=value", text);
    if (strncasecmp(text, "aws:", 4) == 0)
        return err_set(err, KMS_ECONFIG, "tag \"%.128s\": keys that start with aws: are AWS's own",
                       text);
    key = tag_length(text, (size_t)(equals - text));
    value = tag_length(equals + 1, strlen(equals + 1));
    if (key < 1 || key > TAG_KEY_MAX)
        return err_set(
            err, KMS_ECONFIG,
            "tag \"%.128s\": the key is not 1 to %d letters, digits, blanks and _.:/=+-@", text,
            TAG_KEY_MAX);
    if (value > TAG_VALUE_MAX)
        return err_set(
            err, KMS_ECONFIG,
            "tag \"%.128s\": the value is not at most %d letters, digits, blanks and _.:/=+-@",
            text, TAG_VALUE_MAX);
    return 0;
}

/* credential:NAME, file:/PATH, env:NAME. */
static bool reference_valid(const char *text)
{
    if (strncmp(text, "credential:", 11) == 0) {
        const char *name = text + 11;

        return name[0] != '\0' && name[0] != '.' && strlen(name) <= 255 && text_is_of(name, "_.-");
    }
    if (strncmp(text, "file:", 5) == 0)
        return text[5] == '/';
    if (strncmp(text, "env:", 4) == 0)
        return text[4] != '\0' && strchr("0123456789", text[4]) == NULL &&
               text_is_of(text + 4, "_");
    return false;
}

int check_secret_reference(const char *text, struct err *err)
{
    if (!reference_valid(text))
        return err_set(
            err, KMS_ECONFIG,
            "must be \"credential:NAME\", \"file:/PATH\" or \"env:NAME\", never the key itself");
    return 0;
}

int check_access_key_id(const char *text, struct err *err)
{
    size_t length = strlen(text);

    if (reference_valid(text))
        return 0;
    if (strncmp(text, "ASIA", 4) == 0)
        return err_set(err, KMS_ECONFIG, "is %s", ACCESS_KEY_OF_SESSION);
    if (length < 16 || length > AWS_KEY_ID_MAX || !text_is_of(text, "_") ||
        strncmp(text, "AKIA", 4) != 0)
        return err_set(err, KMS_ECONFIG,
                       "must be an access key id (AKIA…), \"credential:NAME\", \"file:/PATH\" or "
                       "\"env:NAME\"");
    return 0;
}

int check_user_template(const char *text, struct err *err)
{
    return name_template_check(text, 1, err);
}

int check_session_template(const char *text, struct err *err)
{
    return name_template_check(text, 0, err);
}
