/* SPDX-License-Identifier: Apache-2.0 */
/* IAM and STS in memory behind http_set_transport(): users, keys, policies, sessions, with the ways
 * in which AWS is late, refuses, or does something and does not say so. */
#ifndef KMS_TESTS_SIMULATE_CLOUD_H
#define KMS_TESTS_SIMULATE_CLOUD_H

#include "aws/http.h"
#include "model/recipe.h"

#define CLOUD_USERS_MAX 512
#define CLOUD_POLICIES_MAX 8
#define CLOUD_KEYS_MAX 2
#define CLOUD_ACCOUNT "123456789012"
#define CLOUD_MANAGEMENT_KEY "AKIAMANAGEMENT000001"

struct cloud_policy {
    char name[64]; /* empty: none */
    bool deny_now;
    int64_t deny_from_ms; /* dated Deny of everything; 0: none */
};

struct cloud_key {
    char id[24]; /* empty: none */
    bool ours;   /* the agent's CreateAccessKey */
    int64_t listed_ms, works_ms;
};

struct cloud_user {
    bool exists, stranger;
    char name[IAM_USER_NAME_MAX + 1], id[24], path[64];
    char lease_tag[40], agent_tag[40];
    int64_t created_ms, visible_ms, deleted_ms;
    struct cloud_policy policies[CLOUD_POLICIES_MAX];
    struct cloud_key keys[CLOUD_KEYS_MAX];
    unsigned our_keys; /* ever made by the agent */
    unsigned groups, attached;
    bool login, mfa;
    bool known;       /* its id was told in an answer */
    uint64_t version; /* of a stranger's: it must not change */
};

void cloud_reset(void);
/* What was sent long ago and is late takes effect. */
void cloud_time_passed(void);
/* http_set_transport(). */
int cloud_transport(const struct http_request *request, struct http_response *ret, struct err *err,
                    void *arg);

/* ---- the account (cloud_users.c) ---- */
struct cloud_user *cloud_nth(size_t n); /* NULL: no more */
/* The user that exists under this name, seen or not. */
struct cloud_user *cloud_find(const char *name);
struct cloud_user *cloud_user_new(const char *name);
struct cloud_user *cloud_find_lease(const char *lease_tag);
bool cloud_key_exists(const char *key_id);
/* Whether the key's requests are allowed at this time. */
bool cloud_accepts(const struct cloud_user *user, int64_t at_ms);
struct cloud_policy *cloud_fence(struct cloud_user *user);
/* Somebody with rights of their own: makes a user of this name, adds a key, password or device. */
void cloud_stranger_user(const char *name);
void cloud_holder_adds(struct cloud_user *user);

/* ---- one action (cloud_iam.c, cloud_sts.c) ---- */
struct cloud_call {
    const struct http_request *request;
    char action[64], user_name[IAM_USER_NAME_MAX + 1];
    struct cloud_user *user; /* visible one of that name; NULL: none */
    bool late;               /* takes effect after its client went away */
    int status;
    char code[64], message[300]; /* when status is not 200 */
    char result[1024];           /* inner XML */
};
/* The value of a form field; empty when missing. */
void cloud_form(const struct cloud_call *call, const char *name, char *ret, size_t size);
void cloud_refuse(struct cloud_call *call, int status, const char *code, const char *format, ...)
    KMS_PRINTF(4, 5);
void cloud_iam(struct cloud_call *call);
void cloud_sts(struct cloud_call *call);
/* The last session's access ends then, whatever comes first; 0: unknown key. */
int64_t cloud_session_end_ms(const char *access_key_id);
void cloud_sts_reset(void);

#endif
