#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Looks at the programs of a build for users (hardened, no sanitizer): what the linker really made of the flags.
# Usage: hardening.sh BUILD-DIRECTORY
set -u
cd "${1:?usage: hardening.sh BUILD-DIRECTORY}" || exit 2
export LC_ALL=C
failures=0
expect() { # PROGRAM WHAT COMMAND...
    local program=$1 what=$2
    shift 2
    if "$@"; then
        echo "ok $program: $what"
    else
        echo "not ok $program: $what"
        failures=$((failures + 1))
    fi
}
has() { grep -qE -- "$2" <<<"$1"; }
has_not() { ! grep -qE -- "$2" <<<"$1"; }

for program in kms-agentd kmsctl; do
    header=$(readelf -hW "$program") segments=$(readelf -lW "$program") dynamic=$(readelf -dW "$program")
    symbols=$(readelf --dyn-syms -W "$program")
    expect "$program" "position independent" has "$header" 'Type:[[:space:]]+DYN'
    expect "$program" "relocations read-only" has "$segments" 'GNU_RELRO'
    expect "$program" "bound at start" has "$dynamic" 'BIND_NOW|FLAGS.*NOW'
    expect "$program" "stack not executable" has "$segments" 'GNU_STACK.* RW +0x'
    expect "$program" "no search path of its own" has_not "$dynamic" 'RPATH|RUNPATH'
    expect "$program" "stack protector" has "$symbols" '__stack_chk_fail'
    expect "$program" "fortified calls" has "$symbols" '__[a-z]+_chk'
    # Debian's start files are not marked for it, so the linker drops the note; the landing pads are there.
    case $(uname -m) in
    x86_64) expect "$program" "control flow protection" test "$(objdump -d "$program" | grep -c endbr64)" -gt 50 ;;
    esac
done
expect kmsctl "no libcurl, LMDB, OpenSSL or libsystemd" has_not "$(readelf -dW kmsctl)" 'NEEDED.*lib(curl|lmdb|crypto|ssl|systemd)'

segments=$(readelf -lW kms-exec)
expect kms-exec "static" has_not "$segments" 'INTERP|DYNAMIC'
expect kms-exec "stack not executable" has "$segments" 'GNU_STACK.* RW +0x'
copy=$(mktemp)
trap 'rm -f "$copy"' EXIT
strip -o "$copy" kms-exec
size=$(stat -c %s "$copy")
if strings -n 4 kms-exec | grep -q musl; then
    expect kms-exec "at most 100 KB ($size bytes)" test "$size" -le 102400
else
    echo "ok kms-exec: size # SKIP no musl-gcc here, so it holds the system's libc ($size bytes)"
fi
[ $failures -eq 0 ]
