/* SPDX-License-Identifier: Apache-2.0 */
/* The lease record: one grant from a secret. Plain values, no pointers, and by construction no secret.
 * All times are AWS time (clock.h), milliseconds since 1970, 0 = never. */
#ifndef KMS_AGENT_MODEL_LEASE_H
#define KMS_AGENT_MODEL_LEASE_H

#include "common/uuid7.h"
#include "model/recipe.h"
#include "model/ttl.h"

#include <stdbool.h>
#include <stdint.h>

/* Values are stored: never renumber. */
enum lease_state {
    LEASE_NONE = 0,      /* no record */
    LEASE_ISSUING = 1,   /* intent is durable, AWS may have anything */
    LEASE_ACTIVE = 2,    /* the credential exists and is the holder's */
    LEASE_REVOKING = 3,  /* must die at AWS */
    LEASE_REVOKED = 4,   /* is gone at AWS (a session: is no longer handed out and ends by itself) */
};
#define LEASE_STATE_COUNT 5

enum lease_event {
    LEASE_EVENT_INTEND,   /* record an intent (IAM users) */
    LEASE_EVENT_GRANT,    /* the credential was made */
    LEASE_EVENT_RENEW,
    LEASE_EVENT_REVOKE,   /* any reason: expiry, client, peer exit, failure, undelivered */
    LEASE_EVENT_GONE,     /* AWS confirmed */
    LEASE_EVENT_PRUNE,    /* forget the record */
    LEASE_EVENT_FIND,     /* the sweep found a user of ours without a live record */
};
#define LEASE_EVENT_COUNT 7

/* How far a revocation got; values are stored. */
enum revoke_stage {
    REVOKE_KEY = 0,      /* phase one: the key (early: and Deny-now) */
    REVOKE_CLEANUP = 1,  /* phase two: everything else and the user */
    REVOKE_WAIT = 2,     /* NoSuchEntity, waiting to be sure */
    REVOKE_DENY = 3,     /* phase one of an early revocation: Deny-now in place of the fence */
};

/* Why a lease is being revoked; values are stored. */
enum revoke_reason {
    REVOKE_NONE = 0, REVOKE_EXPIRED = 1, REVOKE_CLIENT = 2, REVOKE_ADMIN = 3, REVOKE_PEER_EXIT = 4,
    REVOKE_UNDELIVERED = 5, REVOKE_FAILED_MINT = 6, REVOKE_RECOVERED = 7,
    REVOKE_SWEPT = 8,
};

#define LEASE_RULE_MAX 160
#define LEASE_UNIT_MAX 256
#define LEASE_COMMAND_MAX 16  /* comm of the peer, cut by the kernel */

#define LEASE_GROUPS_MAX 32   /* supplementary groups that are kept of a peer */

/* Supplementary groups; count may be more than are kept. */
struct lease_groups {
    uint32_t count;
    uint32_t ids[LEASE_GROUPS_MAX];
};

/* A call as AWS's own log has it; empty: none. */
struct lease_call {
    char action[64], request_id[80];
};

/* The peer that asked, as the kernel named it when it connected. */
struct lease_owner {
    uint32_t uid, gid;
    int32_t pid;                       /* 0 = in another pid namespace */
    char rule[LEASE_RULE_MAX + 1];     /* the rule that granted, "user:app" */
    char unit[LEASE_UNIT_MAX + 1];     /* systemd unit or empty */
    char command[LEASE_COMMAND_MAX + 1];
    struct lease_groups groups;
};

/* The process a lease is bound to, enough to find it again after a restart of the agent. */
struct lease_process {
    int32_t pid;
    uint64_t start_time;     /* field 22 of /proc/PID/stat, clock ticks */
    uint64_t pidfd_inode;    /* st_ino of the pidfd where pidfs gives one, else 0 */
    char boot_id[37];        /* /proc/sys/kernel/random/boot_id */
};

struct lease {
    struct uuid id;
    uint64_t run_id;         /* of the process that made the lease; 0: of an older version */
    enum lease_state state;
    bool delivered;          /* the reply went out whole */
    bool stuck;              /* a permanent failure: needs a person, retried in the slow lane */
    bool bound;              /* revoked when `process` exits, renewed while it lives */
    bool shared;             /* handed to several requests */
    bool early;              /* revoked before its end: sessions made from the key must die too */
    bool ready;              /* the key was seen to work */
    bool create_answered;    /* CreateUser answered 200 (or adopted): user_id is known */
    bool create_unclear;     /* a CreateUser had no answer: it may yet be carried out */
    bool user_gone;          /* DeleteUser answered 200 */

    char secret[SECRET_NAME_MAX + 1];
    struct recipe recipe;
    struct lease_owner owner;
    struct lease_process process;

    char user_name[IAM_USER_NAME_MAX + 1];   /* IAM users */
    char user_id[AWS_USER_ID_MAX + 1];       /* AIDA…, empty until CreateUser answered */
    char arn[AWS_ARN_MAX + 1];               /* of the user or the session */
    char account_id[AWS_ACCOUNT_MAX + 1];
    char access_key_id[AWS_KEY_ID_MAX + 1];

    int64_t requested_ttl_s;        /* first; renewals by the agent ask for it again */
    int64_t renewed_ttl_s;          /* asked for by the last renewal; 0: not renewed */
    int64_t granted_ttl_s;          /* last */
    char clamp_reason[TTL_REASON_SIZE]; /* why that is not what was asked for; may be empty */
    int64_t created_ms;             /* the intent; TTLs count from here */
    int64_t create_user_ms;         /* last time a CreateUser may have been sent; 0: never */
    int64_t expires_ms;             /* end of the lease */
    int64_t last_end_ms;            /* last end a renewal could give (tag kms-last-end) */
    int64_t credential_expires_ms;  /* sessions: STS's Expiration; 0 for IAM users */
    int64_t revoking_ms, revoked_ms;

    /* IAM users: a renewal that is under way or came to nothing leaves open where the fence is. */
    int64_t fence_ms;       /* it may be as late as this; 0: it is at expires_ms */
    int64_t fence_retry_ms; /* when the agent puts it to expires_ms */
    int64_t fence_sure_ms;  /* until then a request that had no answer may yet be carried out; 0: none had none */

    enum revoke_stage stage;
    enum revoke_reason reason;
    uint64_t verified_run;          /* the process that last saw at AWS that the user is ours … */
    int64_t verified_boot_ms;       /* … and when, on its boot clock */
    uint32_t attempts;              /* failed revocation attempts in a row, in the slow lane those since it got there */
    uint32_t conflicts;             /* of them, those that ended with a DeleteConflict that no list explains … */
    int64_t conflict_ms;            /* … and when the first did */
    int64_t retry_ms;               /* not before this; 0 = at once */
    char error[512];                /* last failure, one sentence, no secret */
    char error_action[64], error_code[128], error_request_id[80];
    struct lease_call ended_by;     /* the call that killed the key */
};

/* The transition table: the state after event, or -1 when it is refused. Pure; every cell is tested. */
int lease_next(enum lease_state state, enum lease_event event);
/* "issuing" …; never NULL. */
const char *lease_state_name(enum lease_state state);
int lease_state_parse(const char *text, enum lease_state *ret);
const char *revoke_reason_name(enum revoke_reason reason);
/* Counts against caps and needs the agent: ISSUING, ACTIVE or REVOKING. */
bool lease_is_live(const struct lease *lease);
/* What the last grant, mint or renewal, was asked for. */
int64_t lease_asked_ttl_s(const struct lease *lease);

#endif
