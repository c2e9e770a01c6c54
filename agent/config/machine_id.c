/* SPDX-License-Identifier: Apache-2.0 */
#include "config/machine_id.h"

#include "base/digest.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MACHINE_ID_LENGTH 32

/* 0 with 32 hex digits, or -1. */
static int machine_id_read(const char *file, char ret[MACHINE_ID_LENGTH + 1])
{
    char buf[MACHINE_ID_LENGTH + 2] = "";
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, buf, sizeof(buf) - 1);
    close(fd);
    if (n < MACHINE_ID_LENGTH || strspn(buf, "0123456789abcdef") != MACHINE_ID_LENGTH)
        return -1;
    memcpy(ret, buf, MACHINE_ID_LENGTH);
    ret[MACHINE_ID_LENGTH] = '\0';
    return 0;
}

int machine_agent_id(const char *file, char ret[MACHINE_AGENT_ID_SIZE], struct err *err)
{
    char id[MACHINE_ID_LENGTH + 1], salted[MACHINE_ID_LENGTH + 32], digest[DIGEST_HEX_SIZE];
    int rc;

    if (machine_id_read(file, id) < 0)
        return err_set(err, KMS_ECONFIG,
                       "agent_id is not set and %s holds no machine id to derive it from", file);
    snprintf(salted, sizeof(salted), "kms-agent:%s", id);
    rc = digest_sha256_hex(salted, strlen(salted), digest);
    if (rc < 0)
        return err_set(err, rc, "SHA-256 is not available");
    snprintf(ret, MACHINE_AGENT_ID_SIZE, "host-%.16s", digest);
    return 0;
}
