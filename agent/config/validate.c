/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate.h"

#include "model/fence.h"
#include "model/partition.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void free_text(char **text)
{
    free(*text);
}
#define TEXT_CLEANUP __attribute__((cleanup(free_text)))

int validate_tags(struct draft *draft, const char *option, const struct tag *tags, size_t count)
{
    static const char *const ours[] = {"kms-agent-id", "kms-lease-id", "kms-last-end"};

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < sizeof(ours) / sizeof(ours[0]); j++)
            if (strcasecmp(tags[i].key, ours[j]) == 0) {
                draft_finding(draft, option, "tag \"%s\" is set by the agent", tags[i].key);
                return -1;
            }
        for (size_t j = 0; j < i; j++)
            if (strcasecmp(tags[i].key, tags[j].key) == 0) {
                draft_finding(draft, option,
                              "tag \"%.128s\" is there twice (AWS ignores case in keys)",
                              tags[i].key);
                return -1;
            }
    }
    return 0;
}

static void user_size_check(struct draft *draft, const struct secret_config *secret)
{
    const char *partition = partition_of_region(secret->recipe.region);
    size_t fence, size = 0;

    if (partition == NULL)
        return;
    fence = fence_user_size_max(partition, secret->recipe.path, secret->recipe.deny_role_hop);
    for (size_t i = 0; i < secret->policy_documents.count; i++)
        size += fence_policy_size(secret->policy_documents.items[i]);
    if (fence > FENCE_QUOTA)
        draft_finding(draft, "path",
                      "is so long that the fence (%zu characters) does not fit AWS's %d", fence,
                      FENCE_QUOTA);
    else if (size + fence > FENCE_QUOTA)
        draft_finding(draft, "policy_documents",
                      "the documents take %zu characters; the fence takes %zu and leaves %zu of "
                      "the %d that AWS "
                      "allows for all inline policies of a user",
                      size, fence, FENCE_QUOTA - fence, FENCE_QUOTA);
}

/* Characters, blanks too: STS counts the plain text. */
static size_t plain_size(const char *text)
{
    size_t size = 0;

    for (; *text != '\0'; text++)
        size += ((unsigned char)*text & 0xc0) != 0x80;
    return size;
}

static void session_size_check(struct draft *draft, const struct secret_config *secret)
{
    char *document TEXT_CLEANUP = NULL;
    bool has_arns = secret->session_policy_arns.count > 0;
    size_t size, arns = 0, added;
    struct err err;

    if (secret->session_policy_document == NULL && !has_arns)
        return;
    if (fence_session_document(secret->session_policy_document, has_arns, 0, &document, &err) < 0) {
        draft_finding(draft, "session_policy_document", "%s", err.message);
        return;
    }
    for (size_t i = 0; i < secret->session_policy_arns.count; i++)
        arns += plain_size(secret->session_policy_arns.items[i]);
    size =
        secret->session_policy_document != NULL ? plain_size(secret->session_policy_document) : 0;
    added = plain_size(document) - size;
    if (size + added + arns > FENCE_QUOTA)
        draft_finding(draft, size > 0 ? "session_policy_document" : "session_policy_arns",
                      "the session policies take %zu characters; the dated Deny takes %zu and "
                      "leaves %zu of the %d "
                      "that AWS allows",
                      size + arns, added, FENCE_QUOTA - added, FENCE_QUOTA);
}

void validate_sizes(struct draft *draft, const struct secret_config *secret)
{
    if (secret->recipe.type == CREDENTIAL_IAM_USER)
        user_size_check(draft, secret);
    else
        session_size_check(draft, secret);
}
