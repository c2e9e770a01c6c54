/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_agentd.h"

int kmsctl_config(struct kmsctl *ctl, struct err *err)
{
    return kmsctl_agentd(ctl, "--print-config", err);
}
