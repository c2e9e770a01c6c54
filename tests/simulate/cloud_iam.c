/* SPDX-License-Identifier: Apache-2.0 */
/* The IAM actions that the agent uses, on the account of cloud_users.c. */
#include "checks.h"
#include "cloud.h"
#include "sim.h"

#include "common/timefmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void no_such_user(struct cloud_call *call)
{
    if (sim.path_scoped && strcmp(call->action, "GetUser") != 0)
        cloud_refuse(call, 403, "AccessDenied",
                     "User: arn:aws:iam::%s:user/agent is not authorized to perform: iam:%s on "
                     "resource: user %s because no identity-based policy allows it",
                     CLOUD_ACCOUNT, call->action, call->user_name);
    else
        cloud_refuse(call, 404, "NoSuchEntity", "The user with name %s cannot be found.",
                     call->user_name);
}

static void put_user(struct cloud_call *call, const struct cloud_user *user)
{
    snprintf(call->result, sizeof call->result,
             "<User><UserName>%s</UserName><UserId>%s</UserId><Path>%s</Path>"
             "<Arn>arn:aws:iam::%s:user%s%s</Arn><Tags><member><Key>kms-lease-id</Key><Value>%s"
             "</Value></member><member><Key>kms-agent-id</Key><Value>%s</Value></member></Tags>"
             "</User>",
             user->name, user->id, user->path, CLOUD_ACCOUNT, user->path, user->name,
             user->lease_tag, user->agent_tag);
}

static int64_t draw_lag_ms(void)
{
    if (sim.ending || !sim_chance(2500))
        return 0;
    return sim_chance(1000) ? sim_between(5000, 60000) : sim_between(100, 8000);
}

static void create_user(struct cloud_call *call)
{
    struct cloud_user *user;
    char tag[64];

    if (!call->late && !sim.ending && sim_chance(100) && cloud_find(call->user_name) == NULL)
        cloud_stranger_user(call->user_name);
    if (cloud_find(call->user_name) != NULL) {
        cloud_refuse(call, 409, "EntityAlreadyExists", "User with name %s already exists.",
                     call->user_name);
        return;
    }
    user = cloud_user_new(call->user_name);
    cloud_form(call, "Tags.member.1.Value", user->agent_tag, sizeof user->agent_tag);
    cloud_form(call, "Tags.member.2.Value", tag, sizeof tag);
    check_user_made(user, tag);
    snprintf(user->lease_tag, sizeof user->lease_tag, "%.39s", tag);
    user->visible_ms += draw_lag_ms();
    put_user(call, user);
}

static void put_user_policy(struct cloud_call *call)
{
    struct cloud_policy *free_one = NULL, *policy = NULL;
    char name[64], document[4096], date[64] = "", *at;

    cloud_form(call, "PolicyName", name, sizeof name);
    cloud_form(call, "PolicyDocument", document, sizeof document);
    for (size_t i = CLOUD_POLICIES_MAX; i > 0; i--) {
        if (call->user->policies[i - 1].name[0] == '\0')
            free_one = &call->user->policies[i - 1];
        else if (strcmp(call->user->policies[i - 1].name, name) == 0)
            policy = &call->user->policies[i - 1];
    }
    if (policy == NULL)
        policy = free_one;
    if (policy == NULL)
        abort();
    memset(policy, 0, sizeof *policy);
    snprintf(policy->name, sizeof policy->name, "%s", name);
    at = strstr(document, "\"aws:CurrentTime\":\"");
    if (at != NULL)
        snprintf(date, sizeof date, "%.*s", (int)strcspn(at + 19, "\""), at + 19);
    if (date[0] != '\0' && time_parse(date, &policy->deny_from_ms) != 0)
        abort();
    policy->deny_now = strstr(document, "\"Effect\":\"Deny\",\"Action\":\"*\"") != NULL &&
                       strstr(document, "Condition") == NULL;
    if (strcmp(name, "kms-fence") == 0)
        check_fence_put(call->user, policy);
}

static void delete_user_policy(struct cloud_call *call)
{
    char name[64];

    cloud_form(call, "PolicyName", name, sizeof name);
    for (size_t i = 0; i < CLOUD_POLICIES_MAX; i++) {
        if (strcmp(call->user->policies[i].name, name) != 0)
            continue;
        if (strcmp(name, "kms-fence") == 0)
            check_fence_deleted(call->user);
        call->user->policies[i].name[0] = '\0';
        return;
    }
    cloud_refuse(call, 404, "NoSuchEntity", "The policy %s is not there.", name);
}

static void create_access_key(struct cloud_call *call)
{
    struct cloud_key *key = NULL;

    for (size_t i = 0; i < CLOUD_KEYS_MAX && key == NULL; i++)
        if (call->user->keys[i].id[0] == '\0')
            key = &call->user->keys[i];
    if (key == NULL) {
        cloud_refuse(call, 409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2");
        return;
    }
    memset(key, 0, sizeof *key);
    key->ours = true;
    call->user->our_keys++;
    snprintf(key->id, sizeof key->id, "AKIA%016llX", (unsigned long long)sim_random(UINT64_MAX));
    key->listed_ms = sim.now_ms + draw_lag_ms();
    key->works_ms = sim.now_ms + draw_lag_ms();
    check_key_made(call->user, call->late);
    snprintf(call->result, sizeof call->result,
             "<AccessKey><UserName>%s</UserName><AccessKeyId>%s</AccessKeyId><Status>Active"
             "</Status><SecretAccessKey>s-%s</SecretAccessKey></AccessKey>",
             call->user_name, key->id, key->id);
}

static void delete_access_key(struct cloud_call *call)
{
    char id[64];

    cloud_form(call, "AccessKeyId", id, sizeof id);
    for (size_t i = 0; i < CLOUD_KEYS_MAX; i++) {
        if (strcmp(call->user->keys[i].id, id) != 0)
            continue;
        check_key_deleted(call->user, &call->user->keys[i]);
        call->user->keys[i].id[0] = '\0';
        return;
    }
    cloud_refuse(call, 404, "NoSuchEntity", "The Access Key with id %s cannot be found.", id);
}

static void delete_user(struct cloud_call *call)
{
    struct cloud_user *user = call->user;
    bool more = user->groups > 0 || user->attached > 0 || user->login || user->mfa;

    for (size_t i = 0; i < CLOUD_KEYS_MAX; i++)
        more = more || user->keys[i].id[0] != '\0';
    for (size_t i = 0; i < CLOUD_POLICIES_MAX; i++)
        more = more || user->policies[i].name[0] != '\0';
    if (more) {
        cloud_refuse(call, 409, "DeleteConflict", "Cannot delete entity, must remove all first.");
        return;
    }
    user->exists = false;
    user->deleted_ms = sim.now_ms;
}

/* Lists answer one element a member; each list of the agent's is short. */
static void list(struct cloud_call *call, const char *element, const char *members)
{
    snprintf(call->result, sizeof call->result, "<%s>%s</%s><IsTruncated>false</IsTruncated>",
             element, members, element);
}

static void list_keys(struct cloud_call *call)
{
    char members[300] = "";

    for (size_t i = 0; i < CLOUD_KEYS_MAX; i++)
        if (call->user->keys[i].id[0] != '\0' && call->user->keys[i].listed_ms <= sim.now_ms)
            snprintf(members + strlen(members), sizeof members - strlen(members),
                     "<member><AccessKeyId>%s</AccessKeyId></member>", call->user->keys[i].id);
    list(call, "AccessKeyMetadata", members);
}

static void list_policies(struct cloud_call *call)
{
    char members[700] = "";

    for (size_t i = 0; i < CLOUD_POLICIES_MAX; i++)
        if (call->user->policies[i].name[0] != '\0')
            snprintf(members + strlen(members), sizeof members - strlen(members),
                     "<member>%s</member>", call->user->policies[i].name);
    list(call, "PolicyNames", members);
}

static void list_counted(struct cloud_call *call, const char *element, unsigned count,
                         const char *member, const char *prefix)
{
    char members[700] = "";

    for (unsigned i = 0; i < count; i++)
        snprintf(members + strlen(members), sizeof members - strlen(members),
                 "<member><%s>%s%u</%s></member>", member, prefix, i + 1, member);
    list(call, element, members);
}

/* Groups and attached policies are counted only: the agent removes what it listed. */
static void take_one(struct cloud_call *call, unsigned *count)
{
    if (*count > 0)
        (*count)--;
    else
        cloud_refuse(call, 404, "NoSuchEntity", "It is not there.");
}

static void take_bool(struct cloud_call *call, bool *there)
{
    if (!*there)
        cloud_refuse(call, 404, "NoSuchEntity", "It is not there.");
    *there = false;
}

static const char *const reads[] = {
    "GetUser",           "ListAccessKeys",          "ListAttachedUserPolicies",
    "ListGroupsForUser", "ListUserPolicies",        "ListMFADevices",
    "ListSSHPublicKeys", "ListSigningCertificates", "ListServiceSpecificCredentials"};

static bool is_read(const char *action)
{
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++)
        if (strcmp(action, reads[i]) == 0)
            return true;
    return false;
}

static bool run_read(struct cloud_call *call)
{
    const char *action = call->action;

    if (strcmp(action, "GetUser") == 0)
        put_user(call, call->user);
    else if (strcmp(action, "ListAccessKeys") == 0)
        list_keys(call);
    else if (strcmp(action, "ListAttachedUserPolicies") == 0)
        list_counted(call, "AttachedPolicies", call->user->attached, "PolicyArn",
                     "arn:aws:iam::aws:policy/P");
    else if (strcmp(action, "ListGroupsForUser") == 0)
        list_counted(call, "Groups", call->user->groups, "GroupName", "g");
    else if (strcmp(action, "ListUserPolicies") == 0)
        list_policies(call);
    else if (strcmp(action, "ListMFADevices") == 0)
        list_counted(call, "MFADevices", call->user->mfa, "SerialNumber", "GAHT");
    else if (strcmp(action, "ListSSHPublicKeys") == 0)
        list(call, "SSHPublicKeys", "");
    else if (strcmp(action, "ListSigningCertificates") == 0)
        list(call, "Certificates", "");
    else if (strcmp(action, "ListServiceSpecificCredentials") == 0)
        list(call, "ServiceSpecificCredentials", "");
    else
        return false;
    return true;
}

static void run_change(struct cloud_call *call)
{
    const char *action = call->action;

    if (strcmp(action, "PutUserPolicy") == 0)
        put_user_policy(call);
    else if (strcmp(action, "DeleteUserPolicy") == 0)
        delete_user_policy(call);
    else if (strcmp(action, "CreateAccessKey") == 0)
        create_access_key(call);
    else if (strcmp(action, "DeleteAccessKey") == 0)
        delete_access_key(call);
    else if (strcmp(action, "AddUserToGroup") == 0)
        call->user->groups++;
    else if (strcmp(action, "RemoveUserFromGroup") == 0)
        take_one(call, &call->user->groups);
    else if (strcmp(action, "AttachUserPolicy") == 0)
        call->user->attached++;
    else if (strcmp(action, "DetachUserPolicy") == 0)
        take_one(call, &call->user->attached);
    else if (strcmp(action, "DeleteLoginProfile") == 0)
        take_bool(call, &call->user->login);
    else if (strcmp(action, "DeactivateMFADevice") == 0)
        take_bool(call, &call->user->mfa);
    else if (strcmp(action, "DeleteUser") == 0)
        delete_user(call);
    else
        cloud_refuse(call, 501, "NotImplementedHere", "%s", action);
}

/* A user that was made a moment ago is not seen everywhere; one that was deleted may still be. */
static struct cloud_user *visible(const struct cloud_call *call)
{
    struct cloud_user *user = cloud_find(call->user_name);

    if (user != NULL)
        return user->visible_ms <= sim.now_ms ? user : NULL;
    if (strcmp(call->action, "GetUser") != 0 || sim.ending || !sim_chance(1000))
        return NULL;
    for (size_t i = 0; (user = cloud_nth(i)) != NULL; i++)
        if (strcmp(user->name, call->user_name) == 0 && sim.now_ms - user->deleted_ms < 2000)
            return user;
    return NULL;
}

void cloud_iam(struct cloud_call *call)
{
    if (strcmp(call->action, "CreateUser") == 0) {
        create_user(call);
        return;
    }
    call->user = visible(call);
    if (call->user == NULL) {
        no_such_user(call);
        return;
    }
    if (call->user->stranger && !is_read(call->action))
        check_stranger_touched(call->user, call->action);
    if (!run_read(call))
        run_change(call);
}
