#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the agent on purpose, one line at a time, and shows that the simulator finds each: mutants.py BUILD [NAME...].

BUILD is a configured build directory of a copy of the sources that may be changed (its Makefile says where the copy
is). Each mutant is a text that must be there once and what replaces it; the file is put back afterwards."""
import os
import re
import subprocess
import sys

SEEDS = 100000  # at most; a block that finds something ends the run

MUTANTS = [
    # name, file, text, replacement
    ("no-fence", "agent/lease/issue_iam_user.c",
     'rc = iam_put_user_policy(&p->access.target, lease->user_name, FENCE_POLICY_NAME, document,\n'
     '                             &p->result, err);', "rc = 0;"),
    ("key-before-fence", "agent/lease/issue_iam_user.c",
     '{"put-fence", step_put_fence, ONCE,', '{"put-fence", step_create_access_key, ONCE,'),
    ("first-fence-too-late", "agent/lease/issue_iam_user.c",
     "fence_user_document(lease->arn, lease->expires_ms, lease->recipe.deny_role_hop, &document);",
     "fence_user_document(lease->arn, lease->expires_ms + 60000, lease->recipe.deny_role_hop, &document);"),
    ("no-intent", "agent/lease/issue_iam_user.c",
     "rc = lease_txn_intend(issue->env, lease, &caps, err);", "rc = ((void)caps, (void)err, 0);"),
    ("key-made-again", "agent/lease/issue_iam_user.c",
     "p->result.failure = AWS_FAILED_PERMANENT;", "p->result.failure = AWS_FAILED_TRANSIENT;"),
    ("reply-before-commit", "agent/lease/issue_iam_user.c",
     "rc = lease_txn_grant(issue->env, &issue->lease, &issue->call, err);", "rc = 0;"),
    ("refused-is-ignored", "agent/lease/lease_txn.c",
     'return err_set(err, KMS_EREFUSED, "the lease was revoked while it was being made");', "return 0;"),
    ("key-id-not-recorded", "agent/lease/lease_txn.c",
     "memcpy(lease.access_key_id, in->access_key_id, sizeof lease.access_key_id);\n"
     "    lease.create_user_ms", "lease.create_user_ms"),
    ("failed-mint-made-nothing", "agent/lease/issue.c",
     "bool made_nothing = !p->create_sent || !p->create_unclear;", "bool made_nothing = true;"),
    ("no-guard", "agent/lease/revoke_outcome.c", "if (now >= end)", "if (now >= end || now != 0)"),
    ("late-create-is-forgotten", "agent/lease/revoke_outcome.c",
     "if (outcome == STAGE_GONE && !lease->create_unclear)", "if (outcome == STAGE_GONE)"),
    ("delete-by-name", "agent/lease/revoke.c", "return absence_check(revoke, STAGE_GONE, err);", "return 0;"),
    ("key-not-deleted-first", "agent/lease/revoke.c",
     "if (lease->access_key_id[0] != '\\0') {\n        rc = revoke_take", "if (false) {\n        rc = revoke_take"),
    ("revocation-given-up", "agent/lease/revoke_outcome.c",
     "lease->attempts++;\n", "lease->attempts++;\n    if (lease->attempts > 4)\n        return "
     "is_gone(revoke, &revoke->err);\n"),
    ("stuck-for-good", "agent/lease/revoke_outcome.c", "#define SLOW_MS 60000", "#define SLOW_MS 600000000LL"),
    ("fence-goes-first", "agent/lease/revoke_cleanup.c",
     "cleanup_rows[] = {\n", "cleanup_rows[] = {\n    {CLEANUP_FENCE, IAM_LIST_ACCESS_KEYS, false},\n"),
    ("fence-stays-down", "agent/lease/revoke_cleanup.c", "    cleanup->fence_down = true;\n", ""),
    ("other-keys-are-left", "agent/lease/revoke_cleanup.c",
     "{CLEANUP_LIST, IAM_LIST_ACCESS_KEYS, false},", "{CLEANUP_LIST, IAM_LIST_GROUPS, false},"),
    ("password-is-left", "agent/lease/revoke_cleanup.c",
     "{CLEANUP_LOGIN, IAM_LIST_ACCESS_KEYS, true},", "{CLEANUP_LIST, IAM_LIST_GROUPS, true},"),
    ("renewal-without-fence", "agent/lease/renew_fence.c",
     "fence_user_document(lease->arn, renew->new_expires_ms, deny_role_hop, &document);",
     "fence_user_document(lease->arn, lease->expires_ms, deny_role_hop, &document);"),
    ("renewal-of-what-is-over", "agent/model/lease.c", "[LEASE_REVOKING] = {[LEASE_EVENT_REVOKE]",
     "[LEASE_REVOKING] = {[LEASE_EVENT_RENEW] = LEASE_ACTIVE, [LEASE_EVENT_REVOKE]"),
    ("session-without-date", "agent/model/ttl.c",
     "grant->dated_policy = grant->granted_s < grant->sts_s;", "grant->dated_policy = false;"),
    ("session-outlives-lease", "agent/lease/issue_session.c",
     "(!issue->ttl.dated_policy || lease->credential_expires_ms < lease->expires_ms)",
     "lease->credential_expires_ms < lease->expires_ms"),
    ("one-date-is-enough", "agent/base/clock.c", "#define STEP_MAX_MS 60000 ", "#define STEP_MAX_MS 600000000000LL "),
    ("expiries-in-doubt", "agent/schedule/due_pump.c",
     "claim->hold_expiries = time_hold_is_on(&pump->hold);", "claim->hold_expiries = false;"),
    ("short-lease-not-told", "agent/lease/lease_txn.c",
     "if (due_next(lease).at_ms < clock_aws_ms() + DUE_LOOK_MS)", "if (false)"),
    ("claimed-row-without-job", "agent/lease/claim.c",
     "return claim_revoke(txn, claim, row, CLAIM_AHEAD_MS, err);",
     "return claim_revoke(txn, claim, row, 0, err);"),
    ("row-of-busy-lease-is-lost", "agent/schedule/row_jobs.c", "row_job->again = true;", "row_job->again = false;"),
    ("retries-too-rare", "agent/lease/revoke_outcome.c", "    48000 ", "    600000 "),
    ("fence-is-not-lowered", "agent/model/due.c", "if (lease->fence_ms != 0 && lease->fence_retry_ms < next.at_ms)",
     "if (false)"),
    ("raise-is-not-recorded", "agent/lease/renew_fence.c", "if (!p->raised) {", "if (false) {"),
    ("exit-is-not-noticed", "agent/schedule/peer_exit.c",
     "pending_add(watch);\n    drain(watch->peers);", "(void)watch;"),
]


def top_of(build):
    with open(os.path.join(build, "Makefile"), encoding="utf-8") as file:
        return os.path.join(build, re.search(r"^top_srcdir = (.*)$", file.read(), re.M).group(1))


def make(build):
    result = subprocess.run(["make", "-C", build, "-s", "-j2", "CFLAGS=-O1 -g -Wno-error", "tests/simulate/kms-simulate"],
                            capture_output=True, text=True, check=False)
    return result.returncode == 0, result.stderr


def run(build):
    result = subprocess.run(["tests/simulate/kms-simulate", "--count", str(SEEDS), "--failures", "1"], cwd=build, text=True,
                            capture_output=True, check=False)
    lines = result.stdout.splitlines()
    first = next((line for line in lines if line.startswith("seed ")), lines[-1] if lines else "")
    return result.returncode, first


def try_mutant(build, top, name, file, text, replacement):
    path = os.path.join(top, file)
    with open(path, encoding="utf-8") as source:
        before = source.read()
    if before.count(text) != 1:
        return f"{name}: its text is {before.count(text)} times in {file}"
    try:
        with open(path, "w", encoding="utf-8") as source:
            source.write(before.replace(text, replacement))
        built, errors = make(build)
        if not built:
            return f"{name}: does not compile: {errors[-400:]}"
        status, first = run(build)
    finally:
        with open(path, "w", encoding="utf-8") as source:
            source.write(before)
    print(f"{name:28} {first if status else 'NOT FOUND'}", flush=True)
    return None if status else f"{name}: not found by {SEEDS} seeds"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = os.path.abspath(sys.argv[1])
    top, wanted = top_of(build), sys.argv[2:]
    failures = [failure for mutant in MUTANTS if not wanted or mutant[0] in wanted
                if (failure := try_mutant(build, top, *mutant))]
    for failure in failures:
        print(failure)
    print(f"{len(failures)} mutants were not found")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
