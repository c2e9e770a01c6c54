/* SPDX-License-Identifier: Apache-2.0 */
/* How long a key may outlive its lease, and other work may take. Each ends the seed with a violation
 * when it does not hold. */
#ifndef KMS_TESTS_SIMULATE_LATENESS_H
#define KMS_TESTS_SIMULATE_LATENESS_H

/* Nothing ever goes wrong. */
void check_not_late(void);
/* Nothing goes wrong any more: what waited is done within a minute. */
void check_not_late_again(void);

#endif
