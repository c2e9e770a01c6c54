/* SPDX-License-Identifier: Apache-2.0 */
/* The systemd unit of a process, verified against its pidfd. Loop thread (reads procfs and cgroupfs, which do not
 * wait for a disk). */
#ifndef KMS_AGENT_FRONT_UNIT_H
#define KMS_AGENT_FRONT_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The unit of process pid, which pidfd refers to, into ret: 0, or -1 when there is none or any doubt.
 * Where the kernel tells the cgroup id of a pidfd (PIDFD_GET_INFO, 6.13) the cgroup directory named in
 * /proc/PID/cgroup must have that inode number; else sd_pid_get_unit(3), and the process must still live afterwards. */
int unit_of_process(int32_t pid, int pidfd, char *ret, size_t size);
/* The unit in a cgroup path as systemd names them ("/system.slice/web.service/payload" → "web.service"): the first
 * component that is no slice, with systemd's "_" escape removed. 0, or -1. Pure. */
int unit_of_cgroup(const char *path, char *ret, size_t size);
/* Whether the process of a pidfd has ended (or the pidfd is -1). */
bool pidfd_has_ended(int pidfd);

#endif
