/* SPDX-License-Identifier: Apache-2.0 */
#include "service/access.h"
#include "service/answer.h"
#include "service/cold.h"
#include "service/ops.h"

#define SCAN_STEP 4096  /* records between two looks at whether to go on */
#define SCAN_MAX 262144 /* records for one page, then a short page and a cursor */

struct page {
    struct cold *cold;
    uint32_t left;
};

static bool is_full(const struct page *page)
{
    return page->left == 0 || page->cold->writer.len > ANSWER_PAGE_BYTES;
}

static bool each(const struct lease *lease, void *arg)
{
    struct page *page = arg;

    if (!page->cold->params.all && !cold_owns(page->cold, lease))
        return true;
    answer_put_lease(&page->cold->writer, lease);
    page->left--;
    return !is_full(page);
}

static struct lease_filter filter_of(const struct cold *cold)
{
    const struct params *params = &cold->params;

    return (struct lease_filter){.has_uid = !params->all,
                                 .uid = cold->actor.uid,
                                 .secret = params->secret[0] != '\0' ? params->secret : NULL,
                                 .state = params->state,
                                 .live_only = params->state == LEASE_NONE && !params->any_state};
}

static int work(struct cold *cold)
{
    struct page page = {.cold = cold, .left = cold->params.limit};
    const struct lease_filter filter = filter_of(cold);
    struct uuid cursor = {0};
    int rc;

    if (cold->params.cursor[0] != '\0' && uuid_parse(cold->params.cursor, &cursor) != 0)
        return err_set(&cold->err, KMS_EINVALID, "cursor is not one of an earlier answer");
    wire_open_map(&cold->writer, NULL);
    wire_open_array(&cold->writer, "leases");
    for (size_t scanned = 0; scanned < SCAN_MAX; scanned += SCAN_STEP) {
        struct uuid next = {0};

        rc = store_list(cold->store, &filter, uuid_is_nil(&cursor) ? NULL : &cursor, SCAN_STEP,
                        each, &page, &next, &cold->err);
        if (rc != 0)
            return rc;
        cursor = next;
        if (uuid_is_nil(&cursor) || is_full(&page) || cold_is_over(cold))
            break;
    }
    wire_close(&cold->writer);
    wire_put_uuid(&cold->writer, "cursor", &cursor);
    return 0;
}

void op_lease_list(struct request *request)
{
    struct cold *cold;

    if (request->params.all && !access_is_admin(request->config, request->peer)) {
        access_deny_method(request, "the list of all leases");
        return;
    }
    cold = cold_new(request, work, request->params.all);
    if (cold != NULL)
        cold_start(cold);
}
