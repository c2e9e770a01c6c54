/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/denied_hint.h"

#include "aws/aws_code.h"

#include <stdio.h>
#include <string.h>

#define ACTION_MAX 96

/* Calls that take more, or something else, than a permission of who signs; "%s" is the action. */
static const struct {
    const char *action, *hint;
} by_action[] = {
    {"sts:GetSessionToken",
     "%s needs no permission: AWS gives session tokens to the lasting access key (AKIA…) of an IAM "
     "user only, not to the credentials of a session"},
    {"sts:GetCallerIdentity",
     "%s needs no permission: perhaps the policy of a VPC endpoint is in the way"},
    {"sts:AssumeRole",
     "the base credentials need %s on the role, and the role's trust policy must allow it to them, "
     "with the external_id of the secret where it asks for one"},
    {"sts:TagSession",
     "the base credentials need %s on the role, and the role's trust policy must allow it: the "
     "secret has session_tags"},
    {"sts:AssumeRoleWithWebIdentity",
     "the role's trust policy must allow %s to the issuer, the subject and the audience of the web "
     "identity token, which must not have expired"},
    {"iam:AddUserToGroup", "the management identity needs %s on the group"},
    {"iam:RemoveUserFromGroup", "the management identity needs %s on the group"},
};

/* A reason that no permission of the identity itself cures. */
static const struct {
    const char *words, *hint;
} by_reason[] = {
    {"explicit deny", "a policy denies %s outright: no permission given elsewhere helps"},
    {"no permissions boundary allows",
     "the permissions boundary of the management identity must allow %s, too"},
    {"no service control policy allows",
     "the organization must allow %s to the account: no service control policy does"},
    {"no resource control policy allows",
     "the organization must allow %s to the account: no resource control policy does"},
    {"no session policy allows",
     "the session policy of the management credentials must allow %s, too"},
    {"no VPC endpoint policy allows", "the policy of the VPC endpoint must allow %s, too"},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *find_hint(const char *action, const char *message, bool blind)
{
    for (size_t i = 0; i < COUNT(by_reason); i++)
        if (strstr(message, by_reason[i].words) != NULL)
            return by_reason[i].hint;
    for (size_t i = 0; i < COUNT(by_action); i++)
        if (strcmp(action, by_action[i].action) == 0)
            return by_action[i].hint;
    if (blind && strcmp(action, "iam:GetUser") == 0)
        return "the management identity needs %s on every user: for one that does not exist AWS "
               "knows no path";
    return "the management identity needs %s";
}

void denied_hint(struct err *err, const char *called, const char *message, bool blind)
{
    char action[ACTION_MAX], text[ERR_HINT_MAX];
    const char *hint, *place;

    /* A call may need more than its own action (CreateUser with tags: iam:TagUser); AWS names it.
     */
    if (aws_code_denied_action(message, action, sizeof(action)) != 0)
        snprintf(action, sizeof(action), "%s", called);
    hint = find_hint(action, message, blind);
    place = strstr(hint, "%s");
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(place - hint), hint, action, place + 2);
    err_hint(err, "%s", text);
}
