/* SPDX-License-Identifier: Apache-2.0 */
/* Lines about sessions that were handed out again: counted in the request's path, written later,
 * one a minute for each entry. */
#include "base/clock.h"
#include "base/message_ids.h"
#include "lease/lease_journal.h"
#include "service/events.h"
#include "service/shared_private.h"

#include <stdio.h>

void shared_audit_write(struct shared_entry *entry)
{
    struct store *store = entry->shared->service->options.env->store;
    struct audit audit;
    char message[96];

    if (entry->hits == 0)
        return;
    snprintf(message, sizeof message, "shared session handed out %u times, last to this process",
             entry->hits);
    audit_from_lease(&audit, AUDIT_SHARED, &entry->lease, clock_aws_ms());
    audit.owner = entry->actor;
    snprintf(audit.detail, sizeof audit.detail, "%s", message);
    lease_journal(LOG_LEVEL_INFO, MESSAGE_ID_SHARED, &entry->actor, NULL, &entry->lease, NULL,
                  message);
    events_audit(store, &audit);
    entry->hits = 0;
    entry->line_ms = clock_boot_ms();
}
