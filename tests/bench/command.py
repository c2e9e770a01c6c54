# SPDX-License-Identifier: Apache-2.0
"""Target 4: what kms-exec adds to a command, against what env adds."""
import os

from rig import BUILD, CPUS, KMS_EXEC, agent, fresh_directory, instant_aws, program, run
from table import Row, microseconds, not_measured

COUNT = 300
TRUE = "/bin/true"


def added(made, kms_exec):
    """(added by kms-exec, added by env, plain) in ns, the commands run in turn."""
    commands = ["/usr/bin/env", "FOO=1", TRUE, "---", TRUE, "---", kms_exec, "--", TRUE]
    env, plain, wrapped = (figures["p50_ns"] for figures in
                           run(CPUS.one, program("spawn"), str(COUNT), *commands, KMS_AGENT_SOCKET=made.socket,
                               KMS_SECRET="shared"))
    return wrapped - plain, env - plain, plain


def target_4(rounds):
    rows = []
    variants = [("musl", KMS_EXEC, 0.4), ("static glibc", os.path.join(BUILD, "tests", "bench", "kms-exec-glibc"), 0.9)]
    with instant_aws(CPUS.all) as aws, agent(aws, CPUS.one, fresh_directory("state")) as made:
        for name, kms_exec, limit in variants:
            if not os.path.exists(kms_exec):
                rows.append(not_measured(4, f"kms-exec ({name})", "not built"))
                continue
            figures = [added(made, kms_exec) for _ in range(rounds)]
            a, b, plain = figures[-1]
            rows.append(Row(4, f"kms-exec -- true adds ({name}), one CPU", [a / b for a, b, _ in figures], limit,
                            detail=f"{microseconds(a)} / {microseconds(b)}, true alone {microseconds(plain)}"))
    return rows
