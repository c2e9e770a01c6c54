/* SPDX-License-Identifier: Apache-2.0 */
#include "service/access.h"
#include "service/answer.h"
#include "service/cold.h"
#include "service/ops.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SCAN_STEP 8192
#define SCAN_MAX 262144

struct page {
    struct cold *cold;
    uint32_t left;
    bool reached_since;
};

static bool is_full(const struct page *page)
{
    return page->left == 0 || page->cold->writer.len > ANSWER_PAGE_BYTES;
}

static bool each(const struct audit *audit, void *arg)
{
    struct page *page = arg;
    const struct cold *cold = page->cold;

    if (audit->time_ms < cold->params.since_ms) {
        page->reached_since = true;
        return false;
    }
    if (!cold->admin && audit->owner.uid != cold->actor.uid)
        return true;
    if ((cold->params.given & PARAM_BIT(PARAM_LEASE_ID)) &&
        !uuid_equal(&audit->lease_id, &cold->params.lease_id))
        return true;
    answer_put_audit(&page->cold->writer, audit);
    page->left--;
    return !is_full(page);
}

static int parse_cursor(struct cold *cold, uint64_t *ret)
{
    const char *text = cold->params.cursor;
    char *end;

    *ret = 0;
    if (text[0] == '\0')
        return 0;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || *end != '\0' || errno != 0)
        return err_set(&cold->err, KMS_EINVALID, "cursor is not one of an earlier answer");
    return 0;
}

static int scan(struct page *page, uint64_t *before)
{
    struct cold *cold = page->cold;

    for (size_t scanned = 0; scanned < SCAN_MAX; scanned += SCAN_STEP) {
        uint64_t next = 0;
        int rc = store_list_audit(cold->store, *before, SCAN_STEP, each, page, &next, &cold->err);

        if (rc != 0)
            return rc;
        *before = page->reached_since ? 0 : next;
        if (*before == 0 || is_full(page) || cold_is_over(cold))
            break;
    }
    return 0;
}

static int work(struct cold *cold)
{
    struct page page = {.cold = cold, .left = cold->params.limit};
    uint64_t before;
    char text[24];
    int rc = parse_cursor(cold, &before);

    if (rc != 0)
        return rc;
    wire_open_map(&cold->writer, NULL);
    wire_open_array(&cold->writer, "lines");
    rc = scan(&page, &before);
    if (rc != 0)
        return rc;
    wire_close(&cold->writer);
    if (before != 0) {
        snprintf(text, sizeof text, "%" PRIu64, before);
        wire_put_str(&cold->writer, "cursor", text);
    }
    return 0;
}

void op_audit_list(struct request *request)
{
    bool admin = access_is_admin(request->config, request->peer);
    struct cold *cold = cold_new(request, work, admin);

    if (cold != NULL)
        cold_start(cold);
}
