/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/hooks.h"

#include "common/log.h"

#include <stdlib.h>

/* Worker thread: its HTTP client lives as long as the thread. */
static void *worker_new(void *arg)
{
    struct lease_worker *worker = calloc(1, sizeof *worker);
    struct err err = {0};

    (void)arg;
    if (worker == NULL)
        return NULL;
    if (http_client_new(&worker->http, &err) != 0) {
        log_error("a worker cannot start: %s", err.message);
        free(worker);
        return NULL;
    }
    return worker;
}

static void worker_free(void *context)
{
    struct lease_worker *worker = context;

    http_client_free(worker->http);
    free(worker);
}

const struct schedule_hooks schedule_hooks_default = {
    .claim = lease_claim,
    .revoke_new = revoke_new,
    .revoke_free = revoke_free,
    .renew_new = renew_new,
    .renew_free = renew_free,
    .list_bound = store_list_bound,
    .worker_new = worker_new,
    .worker_free = worker_free,
};
