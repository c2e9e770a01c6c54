/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent remembers about a management access key that it replaced, or is replacing. The
 * configuration goes on naming the key that the operator put there; the record says which key took
 * its place. Plain values; secrets only sealed (store/seal.h). */
#ifndef KMS_AGENT_MODEL_ROOT_KEY_H
#define KMS_AGENT_MODEL_ROOT_KEY_H

#include "model/lease.h"

#define ROOT_KEYS_MAX 128     /* records of one agent */
#define ROOT_KEY_SEAL_MAX 640 /* a sealed secret as text */
#define ROOT_KEY_USER_MAX 128
#define ROOT_KEY_PER_USER 2 /* access keys that AWS allows a user */
/* An intent without a key is believed to have made none only after this long (AWS time): the list
 * of a user's keys may be behind. */
#define ROOT_KEY_GUARD_MS 300000
/* CreateAccessKey goes out at most this long after its intent was durable, and ends this long after
 * that. */
#define ROOT_KEY_SEND_MS 3000
#define ROOT_KEY_CALL_MS 10000
/* So a key is a leftover of an intent if it was made in this time around it (AWS time, which comes
 * in whole seconds and is known to a second); another one is not ours to delete. */
#define ROOT_KEY_BEFORE_MS 2000
#define ROOT_KEY_AFTER_MS (ROOT_KEY_SEND_MS + ROOT_KEY_CALL_MS + 2000)

/* Values are stored. */
enum root_key_stage {
    ROOT_KEY_NONE = 0,    /* no record */
    ROOT_KEY_INTENT = 1,  /* CreateAccessKey may have been sent; the current key is in force */
    ROOT_KEY_SEALED = 2,  /* the next key is durable; the current one is in force */
    ROOT_KEY_PROVEN = 3,  /* the next key is in force; the current one is to be deleted */
    ROOT_KEY_SETTLED = 4, /* the current key is the only one */
};

struct root_key {
    enum root_key_stage stage;
    char configured_id[AWS_KEY_ID_MAX + 1]; /* what the configuration says; names the record */
    char current_id[AWS_KEY_ID_MAX + 1];
    char current_seal[ROOT_KEY_SEAL_MAX + 1]; /* empty: it is the configured key */
    char next_id[AWS_KEY_ID_MAX + 1];         /* SEALED, PROVEN; INTENT: the leftover being deleted */
    char next_seal[ROOT_KEY_SEAL_MAX + 1];
    /* Of the intent: the key that existed, when it was, through which secret, who asked. */
    char known_id[AWS_KEY_ID_MAX + 1];
    int64_t begun_ms; /* AWS time, just before CreateAccessKey is sent */
    char user_name[ROOT_KEY_USER_MAX + 1];
    char secret[SECRET_NAME_MAX + 1];
    struct lease_owner actor;
};

/* The next key takes the current one's place (what begun a rotation is forgotten). */
void root_key_settle(struct root_key *record);
/* The intent made nothing: back to what was before it; ROOT_KEY_NONE if that was nothing. */
void root_key_abandon(struct root_key *record);
/* A rotation was begun and is not over. */
bool root_key_is_pending(const struct root_key *record);
/* The key with this id is none of those that the record knows from before its intent. */
bool root_key_is_new(const struct root_key *record, const char *id);
/* The key with this id, made at created_ms (AWS time), is what the record's intent made. */
bool root_key_is_leftover(const struct root_key *record, const char *id, int64_t created_ms);

#endif
