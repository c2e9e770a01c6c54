/* SPDX-License-Identifier: Apache-2.0 */
/* Which leases are stuck, and why. */
#include "service/cold.h"
#include "service/doctor.h"

#define SHOWN_MAX 5
#define SCAN_STEP 4096
#define SCAN_MAX 65536 /* of the newest leases */

struct shown {
    struct doctor_lines *lines;
    unsigned left;
};

static bool show(const struct lease *lease, void *arg)
{
    struct shown *shown = arg;
    char id[UUID_TEXT_SIZE];

    if (!lease->stuck)
        return true;
    uuid_format(&lease->id, id);
    doctor_say(shown->lines, DOCTOR_FAIL, "leases", lease->secret, "%s: %s", id, lease->error);
    return --shown->left > 0;
}

void doctor_leases(struct doctor_lines *lines, struct cold *cold)
{
    struct shown shown = {lines, SHOWN_MAX};
    const struct lease_filter filter = {
        .secret = cold->params.secret[0] != '\0' ? cold->params.secret : NULL,
        .state = LEASE_REVOKING,
    };
    struct store_stats stats = {0};
    struct uuid cursor = {0};
    struct err err = {0};

    if (store_stats(cold->store, &stats, &err) != 0 || stats.stuck == 0)
        return;
    for (size_t scanned = 0; scanned < SCAN_MAX && !cold_is_over(cold); scanned += SCAN_STEP) {
        if (store_list(cold->store, &filter, uuid_is_nil(&cursor) ? NULL : &cursor, SCAN_STEP, show,
                       &shown, &cursor, &err) != 0)
            doctor_say(lines, DOCTOR_FAIL, "store", NULL, "%s", err.message);
        if (err.code != 0 || shown.left == 0 || uuid_is_nil(&cursor))
            return;
    }
}
