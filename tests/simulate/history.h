/* SPDX-License-Identifier: Apache-2.0 */
/* One seed's history: what is planned, until all is healed and all leases are over. */
#ifndef KMS_TESTS_SIMULATE_HISTORY_H
#define KMS_TESTS_SIMULATE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

/* Runs it; false: a violation, told in sim.violation. */
bool history_run(uint64_t seed, bool trace);

#endif
