/* SPDX-License-Identifier: Apache-2.0 */
/* Those who ask the agent: what service/ does for them, without the socket. */
#ifndef KMS_TESTS_SIMULATE_CLIENTS_H
#define KMS_TESTS_SIMULATE_CLIENTS_H

void clients_begin(void);
/* Their connections ended with the agent. */
void clients_agent_gone(void);
void clients_issue(void);
void clients_renew(void);
void clients_revoke(void);
/* One that waits for a lease goes away. */
void clients_go_away(void);
/* A reply that was slow to be written is out, or never will be. */
void clients_reply_written(void);
/* A process with a bound lease exits; all of them. */
void clients_exit_one(void);
void clients_exit_all(void);

#endif
