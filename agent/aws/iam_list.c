/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/iam_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IAM_VERSION "2010-05-08"
#define MARKER_SIZE 321
#define PAGE_ITEMS 100
#define NAMES_MAX 20000

struct list_row {
    const char *action;
    const char *path; /* to the list's element */
    const char *item; /* element of a member; "" when the member's text is the item */
    bool unpaged;     /* the action takes no MaxItems in the published model */
};

static const struct list_row list_rows[] = {
    [IAM_LIST_ACCESS_KEYS] = {"ListAccessKeys", "AccessKeyMetadata", "AccessKeyId", false},
    [IAM_LIST_ATTACHED_POLICIES] = {"ListAttachedUserPolicies", "AttachedPolicies", "PolicyArn",
                                    false},
    [IAM_LIST_GROUPS] = {"ListGroupsForUser", "Groups", "GroupName", false},
    [IAM_LIST_USER_POLICIES] = {"ListUserPolicies", "PolicyNames", "", false},
    [IAM_LIST_MFA_DEVICES] = {"ListMFADevices", "MFADevices", "SerialNumber", false},
    [IAM_LIST_SSH_PUBLIC_KEYS] = {"ListSSHPublicKeys", "SSHPublicKeys", "SSHPublicKeyId", false},
    [IAM_LIST_SIGNING_CERTIFICATES] = {"ListSigningCertificates", "Certificates", "CertificateId",
                                       false},
    [IAM_LIST_SERVICE_CREDENTIALS] = {"ListServiceSpecificCredentials",
                                      "ServiceSpecificCredentials", "ServiceSpecificCredentialId",
                                      true},
};
static const struct list_row users_row = {"ListUsers", "Users", "UserName", false};

static int names_add(struct iam_names *names, const char *name)
{
    char **grown;

    if (names->count >= NAMES_MAX)
        return KMS_ELIMIT;
    /* Grows at powers of two: a full array is one whose count is a power of two. */
    if ((names->count & (names->count - 1)) == 0) {
        size_t size = names->count == 0 ? 1 : names->count * 2;

        grown = realloc(names->items, size * sizeof(*grown));
        if (grown == NULL)
            return KMS_ENOMEM;
        names->items = grown;
    }
    names->items[names->count] = strdup(name);
    if (names->items[names->count] == NULL)
        return KMS_ENOMEM;
    names->count++;
    return 0;
}

static int add_members(const struct xml *list, const char *item, struct iam_names *names)
{
    int rc = 0;

    for (const struct xml *member = xml_child(list); member != NULL && rc == 0;
         member = xml_next(member)) {
        const char *name = xml_get(member, item);

        if (name[0] != '\0')
            rc = names_add(names, name);
    }
    return rc;
}

/* The next page's marker; a list that says it goes on but not from where would be asked for ever.
 */
static int next_marker(const struct xml *list, char marker[MARKER_SIZE])
{
    const char *next = xml_get(list, "Marker");

    if (strcmp(xml_get(list, "IsTruncated"), "true") != 0) {
        marker[0] = '\0';
        return 0;
    }
    if (next[0] == '\0' || strlen(next) >= MARKER_SIZE || strcmp(next, marker) == 0)
        return -1;
    strcpy(marker, next);
    return 0;
}

static int list_page(const struct aws_target *target, const struct list_row *row,
                     struct query *query, char marker[MARKER_SIZE], struct iam_names *names,
                     struct aws_result *result, struct err *err)
{
    struct xml *answer = NULL;
    const struct xml *list;
    char path[96];
    int rc;

    if (!row->unpaged)
        query_add_int(query, "MaxItems", PAGE_ITEMS);
    query_add(query, "Marker", marker);
    rc = aws_call(target, AWS_IAM, query, &answer, result, err);
    if (rc != 0)
        return rc;
    snprintf(path, sizeof(path), "%sResult", row->action);
    list = xml_find(answer, path);
    if (xml_find(list, row->path) == NULL || next_marker(list, marker) != 0) {
        rc = aws_answer_incomplete(query, result, err);
    } else {
        rc = add_members(xml_find(list, row->path), row->item, names);
        if (rc != 0) {
            result->failure = AWS_FAILED_TRANSIENT;
            err_set(err, rc, "%s: too many names for the agent or memory", row->action);
        }
    }
    xml_free(answer);
    return rc;
}

int iam_list_page(const struct aws_target *target, enum iam_list_kind kind, const char *user_name,
                  char marker[MARKER_SIZE], struct iam_names *names, struct aws_result *result,
                  struct err *err)
{
    const struct list_row *row = &list_rows[kind];
    struct query query QUERY_CLEANUP;

    query_init(&query, row->action, IAM_VERSION);
    query_add(&query, "UserName", user_name);
    return list_page(target, row, &query, marker, names, result, err);
}

int iam_list_users_page(const struct aws_target *target, const char *path_prefix,
                        char marker[MARKER_SIZE], struct iam_names *names,
                        struct aws_result *result, struct err *err)
{
    struct query query QUERY_CLEANUP;

    query_init(&query, users_row.action, IAM_VERSION);
    query_add(&query, "PathPrefix", path_prefix);
    return list_page(target, &users_row, &query, marker, names, result, err);
}

void iam_names_done(struct iam_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct iam_names){0};
}
