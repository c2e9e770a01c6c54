/* SPDX-License-Identifier: Apache-2.0 */
#include "store/env.h"

#include "store/data_file.h"
#include "store/key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define TABLES_MAX 8
#define MAP_MIN (UINT64_C(1) << 20)
#define LOCK_FILE_BYTES 20480 /* LMDB's header and ENV_READERS_MAX slots of 64 bytes */

bool env_rc_is_fatal(int rc)
{
    return rc == EIO || rc == EROFS || rc == MDB_PANIC || rc == MDB_CORRUPTED ||
           rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID;
}

bool env_rc_is_full(int rc)
{
    return rc == ENOSPC || rc == EDQUOT || rc == MDB_MAP_FULL || rc == MDB_TXN_FULL;
}

int env_error(const struct env *env, int rc, const char *what, struct err *err)
{
    return err_set(err, env_rc_is_full(rc) ? KMS_ESTOREFULL : KMS_ESTORE,
                   "the lease store in %s: %s: %s", env->directory.path, what, mdb_strerror(rc));
}

/* The reader table is written through a mapping: on a full disk a hole in it would be a SIGBUS.
 * Must come before LMDB opens the file, since closing any descriptor of it drops LMDB's own locks.
 * Best effort. */
static void preallocate_lock_file(const struct env *env)
{
    int fd = openat(env->directory.fd, "lock.mdb", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return;
    (void)posix_fallocate(fd, 0, LOCK_FILE_BYTES);
    close(fd);
}

/* MDB_NOTLS: read transactions come and go with calls, not with threads. Nothing else: WRITEMAP
 * turns a full disk into SIGBUS, NOSYNC loses leases, NOMEMINIT writes heap bytes out, NORDAHEAD
 * makes cold scans ten times slower. */
static int open_mapped(struct env *env, uint64_t map_size)
{
    int rc = mdb_env_create(&env->mdb);

    if (rc == 0)
        rc = mdb_env_set_maxdbs(env->mdb, TABLES_MAX);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(env->mdb, ENV_READERS_MAX);
    if (rc == 0)
        rc = mdb_env_set_mapsize(env->mdb, map_size);
    if (rc == 0)
        rc = mdb_env_open(env->mdb, env->directory.path, MDB_NOTLS, 0600);
    if (rc != 0 && env->mdb != NULL) {
        mdb_env_close(env->mdb);
        env->mdb = NULL;
    }
    return rc;
}

static int open_environment(struct env *env, uint64_t map_size, struct err *err)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    int rc = data_file_make(&env->directory);

    if (rc != 0)
        return env_error(env, rc, "cannot make data.mdb", err);
    preallocate_lock_file(env);
    do {
        rc = open_mapped(env, map_size / page * page);
        map_size /= 2;
    } while ((rc == ENOMEM || rc == EINVAL) && map_size >= MAP_MIN);
    return rc == 0 ? 0 : env_error(env, rc, "cannot open data.mdb", err);
}

static int open_tables(struct env *env, MDB_txn *txn, struct err *err)
{
    const struct {
        const char *name;
        MDB_dbi *dbi;
    } tables[] = {
        {"meta", &env->meta},     {"lease", &env->lease},     {"due", &env->due},
        {"bound", &env->bound},   {"counter", &env->counter}, {"audit", &env->audit},
        {"root_key", &env->root},
    };
    int rc;

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        rc = mdb_dbi_open(txn, tables[i].name, MDB_CREATE, tables[i].dbi);
        if (rc != 0)
            return env_error(env, rc, tables[i].name, err);
    }
    return 0;
}

static int put_meta(const struct env *env, MDB_txn *txn, const char *name, const void *value,
                    size_t len, struct err *err)
{
    MDB_val key = KEY_VAL(name, strlen(name)), data = KEY_VAL(value, len);
    int rc = mdb_put(txn, env->meta, &key, &data, 0);

    return rc == 0 ? 0 : env_error(env, rc, name, err);
}

static int check_schema(struct env *env, MDB_txn *txn, struct err *err)
{
    MDB_val key = KEY_VAL("schema", 6), data;
    uint8_t number[4];
    uint32_t schema;
    int rc = mdb_get(txn, env->meta, &key, &data);

    if (rc == MDB_NOTFOUND) {
        env->is_new = true;
        key_put_u32(number, ENV_SCHEMA);
        return put_meta(env, txn, "schema", number, sizeof number, err);
    }
    if (rc != 0)
        return env_error(env, rc, "schema", err);
    schema = data.mv_size == sizeof number ? key_get_u32(data.mv_data) : 0;
    if (schema > ENV_SCHEMA) {
        err_set(err, KMS_ESTORE,
                "the lease store in %s has schema %u, this agent knows up to schema %u",
                env->directory.path, schema, ENV_SCHEMA);
        return err_hint(err, "it was written by a later version of the agent: install that one");
    }
    if (schema == 0 || schema + 1 < ENV_SCHEMA)
        return err_set(err, KMS_ESTORE, "the lease store in %s has schema %u, which is not known",
                       env->directory.path, schema);
    return 0;
}

/* A new store knows nothing of what may be left at AWS: until somebody says so, sweeps only tell.
 */
static int check_unswept(struct env *env, MDB_txn *txn, struct err *err)
{
    MDB_val key = KEY_VAL("unswept", 7), data;
    int rc;

    if (env->is_new) {
        env->unswept = true;
        return put_meta(env, txn, "unswept", "", 0, err);
    }
    rc = mdb_get(txn, env->meta, &key, &data);
    env->unswept = rc == 0;
    return rc == 0 || rc == MDB_NOTFOUND ? 0 : env_error(env, rc, "unswept", err);
}

static int check_agent_id(struct env *env, MDB_txn *txn, const char *agent_id, struct err *err)
{
    MDB_val key = KEY_VAL("agent_id", 8), data;
    int rc = mdb_get(txn, env->meta, &key, &data);

    if (rc == MDB_NOTFOUND)
        return put_meta(env, txn, "agent_id", agent_id, strlen(agent_id), err);
    if (rc != 0)
        return env_error(env, rc, "agent_id", err);
    if (data.mv_size == strlen(agent_id) && memcmp(data.mv_data, agent_id, data.mv_size) == 0)
        return 0;
    err_set(err, KMS_ESTORE, "the lease store in %s belongs to agent \"%.*s\", this is \"%s\"",
            env->directory.path, data.mv_size < 128 ? (int)data.mv_size : 128,
            (const char *)data.mv_data, agent_id);
    return err_hint(err, "set agent_id to the name that the leases were made under");
}

static int open_schema(struct env *env, const char *agent_id, struct err *err)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(env->mdb, NULL, 0, &txn);

    if (rc != 0)
        return env_error(env, rc, "cannot begin", err);
    rc = open_tables(env, txn, err);
    if (rc == 0)
        rc = check_schema(env, txn, err);
    if (rc == 0)
        rc = check_unswept(env, txn, err);
    if (rc == 0)
        rc = check_agent_id(env, txn, agent_id, err);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 ? 0 : env_error(env, rc, "cannot commit", err);
}

int env_open(const char *path, bool allow_volatile, uint64_t map_size, const char *agent_id,
             struct env *ret, struct err *err)
{
    struct env env = {0};
    int dead = 0;
    int rc = directory_open(path, allow_volatile, &env.directory, err);

    if (rc != 0)
        return rc;
    rc = open_environment(&env, map_size, err);
    if (rc == 0)
        rc = open_schema(&env, agent_id, err);
    if (rc == 0 && env.is_new && fsync(env.directory.fd) != 0) /* the names of the files */
        rc = env_error(&env, errno, "cannot sync the directory", err);
    if (rc != 0) {
        env_close(&env);
        return rc;
    }
    (void)mdb_reader_check(env.mdb, &dead); /* slots of tools that were killed */
    *ret = env;
    return 0;
}

void env_close(struct env *env)
{
    if (env->mdb != NULL)
        mdb_env_close(env->mdb);
    env->mdb = NULL;
    directory_close(&env->directory);
}
