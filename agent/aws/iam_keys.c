/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/iam_keys.h"

#include "common/timefmt.h"

#include <string.h>

#define IAM_VERSION "2010-05-08"

/* 0, or -1: not what AWS answers. */
static int read_keys(const struct xml *list, struct iam_keys *ret)
{
    if (list == NULL)
        return -1;
    ret->count = 0;
    for (const struct xml *member = xml_child(list); member != NULL; member = xml_next(member)) {
        const char *id = xml_get(member, "AccessKeyId");
        struct iam_key *key = &ret->items[ret->count];

        if (ret->count == IAM_KEYS_MAX || id[0] == '\0' || strlen(id) > AWS_KEY_ID_MAX ||
            time_parse(xml_get(member, "CreateDate"), &key->created_ms) != 0)
            return -1;
        strcpy(key->id, id);
        ret->count++;
    }
    return 0;
}

int iam_list_access_keys(const struct aws_target *target, const char *user_name,
                         struct iam_keys *ret, struct aws_result *result, struct err *err)
{
    struct query query QUERY_CLEANUP;
    struct xml *answer = NULL;
    struct iam_keys read = {0};
    int rc;

    query_init(&query, "ListAccessKeys", IAM_VERSION);
    query_add(&query, "UserName", user_name);
    rc = aws_call(target, AWS_IAM, &query, &answer, result, err);
    if (rc == 0 && (read_keys(xml_find(answer, "ListAccessKeysResult/AccessKeyMetadata"), &read) ||
                    strcmp(xml_get(answer, "ListAccessKeysResult/IsTruncated"), "true") == 0))
        rc = aws_answer_incomplete(&query, result, err);
    if (rc == 0)
        *ret = read;
    xml_free(answer);
    return rc;
}
