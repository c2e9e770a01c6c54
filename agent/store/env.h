/* SPDX-License-Identifier: Apache-2.0 */
/* The LMDB environment of a store: its directory, tables, schema version and the agent it belongs
 * to. */
#ifndef KMS_AGENT_STORE_ENV_H
#define KMS_AGENT_STORE_ENV_H

#include "common/err.h"
#include "store/directory.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#define ENV_SCHEMA 1u       /* reads this and the one before, refuses later ones */
#define ENV_READERS_MAX 256 /* 64 workers, the loop, the writer, and tools */

struct unwritten_set;

struct env {
    struct directory directory;
    struct unwritten_set *unwritten; /* the store's; set after the open */
    MDB_env *mdb;
    MDB_dbi meta; /* "schema" → 4-byte big-endian number, "agent_id" → text, "unswept" → "" */
    MDB_dbi lease;   /* 16-byte id → record */
    MDB_dbi due;     /* 8-byte big-endian ms, id → action byte */
    MDB_dbi bound;   /* id → "": leases bound to a process */
    MDB_dbi counter; /* counters.h */
    MDB_dbi audit;   /* 8-byte big-endian sequence → record */
    MDB_dbi root;    /* configured access key id → record (root_keys.h) */
    bool is_new;     /* made by this open */
    bool unswept;    /* new, and no operator has asked for a sweep since; as of the open */
};

/* 0, or KMS_ESTORE / KMS_ENOMEM with nothing held. A map size that the address space refuses is
 * halved until it fits. Before threads start. */
int env_open(const char *path, bool allow_volatile, uint64_t map_size, const char *agent_id,
             struct env *ret, struct err *err) KMS_MUST_CHECK;
void env_close(struct env *env);

/* LMDB result → KMS_ESTOREFULL or KMS_ESTORE, with a message that names the directory and what was
 * tried. */
int env_error(const struct env *env, int rc, const char *what, struct err *err);
/* After these nothing that the environment says can be trusted: stop, exit, reopen. */
bool env_rc_is_fatal(int rc);
/* No space: in the map, on the disk, or for more dirty pages. */
bool env_rc_is_full(int rc);

#endif
