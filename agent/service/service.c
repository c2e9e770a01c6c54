/* SPDX-License-Identifier: Apache-2.0 */
#include "service/service.h"

#include "base/clock.h"
#include "base/thread_role.h"
#include "common/log.h"
#include "service/request.h"
#include "service/root_round.h"
#include "service/shared.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDENTITIES_MAX 4096

int service_new(const struct service_options *options, struct service **ret, struct err *err)
{
    struct service *service = calloc(1, sizeof *service);

    if (service == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    service->shared = shared_new(service);
    if (service->shared == NULL) {
        free(service);
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    service->options = *options;
    service->config = config_ref(options->config);
    service->started_boot_ms = clock_boot_ms();
    service->started_wall_ms = clock_wall_ms();
    if (root_round_new(service, &service->root_round, err) != 0) {
        service_free(service);
        return KMS_ENOMEM;
    }
    *ret = service;
    return 0;
}

void service_free(struct service *service)
{
    if (service == NULL)
        return;
    shared_free(service->shared);
    root_round_free(service->root_round);
    config_unref(service->config);
    room_done(&service->room);
    free(service->conns);
    free(service->identities);
    free(service);
}

void service_set_port(struct service *service, const struct service_port *port)
{
    service->port = port != NULL ? *port : (struct service_port){0};
}

void service_start_root_keys(struct service *service)
{
    root_round_start(service->root_round);
}

static struct conn_requests *requests_of(const struct service *service, struct conn_ref conn)
{
    struct conn_requests *requests;

    if (conn.slot >= service->conn_count)
        return NULL;
    requests = &service->conns[conn.slot];
    return requests->generation == conn.generation ? requests : NULL;
}

void service_gone(struct service *service, struct conn_ref conn)
{
    struct conn_requests *requests = requests_of(service, conn);

    ASSERT_ON_LOOP();
    while (requests != NULL && requests->first != NULL)
        request_abandon(requests->first);
}

unsigned service_in_flight(const struct service *service, struct conn_ref conn)
{
    const struct conn_requests *requests = requests_of(service, conn);

    return requests != NULL ? requests->count : 0;
}

void service_tick(struct service *service)
{
    shared_tick(service->shared);
}

void service_flush(struct service *service)
{
    shared_flush(service->shared);
}

static struct identity *find_identity(struct service *service, const char *secret)
{
    struct identity *identities;

    for (size_t i = 0; i < service->identity_count; i++)
        if (strcmp(service->identities[i].secret, secret) == 0)
            return &service->identities[i];
    if (service->identity_count == IDENTITIES_MAX)
        return NULL;
    identities = reallocarray(service->identities, service->identity_count + 1, sizeof *identities);
    if (identities == NULL)
        return NULL;
    service->identities = identities;
    return &identities[service->identity_count++];
}

void service_set_identity(struct service *service, const char *secret, const char *identity,
                          const char *account, bool ok, const char *error)
{
    struct identity *entry = find_identity(service, secret);

    ASSERT_ON_LOOP();
    if (entry == NULL)
        return;
    *entry = (struct identity){.ok = ok};
    snprintf(entry->secret, sizeof entry->secret, "%s", secret);
    snprintf(entry->identity, sizeof entry->identity, "%s", identity != NULL ? identity : "");
    snprintf(entry->account, sizeof entry->account, "%s", account != NULL ? account : "");
    snprintf(entry->error, sizeof entry->error, "%s", error != NULL && !ok ? error : "");
}

size_t service_error_answer(uint64_t msgid, const struct err *err, uint8_t *ret, size_t size)
{
    struct wire_writer writer = {0};
    size_t len = 0;

    wire_put_error(&writer, msgid, err);
    if (wire_end(&writer) == 0 && writer.len <= size) {
        memcpy(ret, writer.bytes, writer.len);
        len = writer.len;
    }
    wire_done(&writer);
    return len;
}

void service_socket_lost(const char *path, const struct err *err)
{
    if (err == NULL)
        log_error("the socket file %s was removed or replaced; it was made anew", path);
    else
        log_error("the socket file %s was removed or replaced, no client can connect: %s%s%s", path,
                  err->message, err->hint[0] != '\0' ? "; " : "", err->hint);
}

void service_status_line(struct service *service, char *ret, size_t size)
{
    struct store_stats stats = {0};
    struct err err = {0};

    if (store_stats(service->options.env->store, &stats, &err) != 0) {
        snprintf(ret, size, "the lease store fails: %s", err.message);
        return;
    }
    snprintf(ret, size,
             "%zu secrets, %" PRIu64 " live leases, %" PRIu64 " being revoked, %" PRIu64 " stuck%s",
             service->config->secret_count, stats.live, stats.revoking, stats.stuck,
             stats.issuing_allowed ? "" : "; the store is full, nothing is issued");
}
