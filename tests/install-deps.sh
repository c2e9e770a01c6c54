#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Names and, on Debian with root or sudo, installs the packages that are missing.
# Usage: install-deps.sh [--list] demo|check
#   demo   what it takes to build the programs and to run the demonstration
#   check  that and what the tests need
#   --list only print the names of all packages of the set
set -euo pipefail

build=(gcc libc6-dev make autoconf automake libtool pkg-config musl-tools
    libevent-dev libcurl4-openssl-dev libssl-dev libmsgpack-dev liblmdb-dev
    libsystemd-dev libexpat1-dev libjansson-dev libconfig-dev)
demo=(python3 python3-botocore awscli ca-certificates)
check=(libcmocka-dev python3-pytest python3-pytest-xdist python3-boto3 python3-msgpack python3-venv systemd strace
    valgrind shellcheck curl xz-utils git procps iproute2)
command -v npm >/dev/null || check+=(nodejs npm) # any node will do, for the JavaScript SDK

list=no
[ "${1:-}" = --list ] && { list=yes; shift; }
case ${1:-} in
demo) packages=("${build[@]}" "${demo[@]}") ;;
check) packages=("${build[@]}" "${demo[@]}" "${check[@]}") ;;
*) sed -n '3,7s/^# //p' "$0" >&2; exit 2 ;;
esac
[ $list = yes ] && { printf '%s\n' "${packages[@]}"; exit; }

if ! command -v dpkg-query >/dev/null; then
    missing=()
    for tool in gcc make autoreconf libtoolize pkg-config python3 aws; do
        command -v $tool >/dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} -eq 0 ] && exit 0
    echo "This is no Debian; missing here: ${missing[*]}." >&2
    echo "Install the counterparts of these Debian packages, then run this again: ${packages[*]}" >&2
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

command=(apt-get install -y --no-install-recommends "${missing[@]}")
if [ "$(id -u)" -eq 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
elif command -v sudo >/dev/null && [ -t 0 ]; then
    as_root=(sudo)
else
    echo "Packages are missing: ${missing[*]}" >&2
    echo "Install them as root: ${command[*]}" >&2
    exit 1
fi
echo "installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${command[@]}" >"$log" 2>&1 ||
    { "${as_root[@]}" apt-get update >>"$log" 2>&1 &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${command[@]}" >>"$log" 2>&1; }; }; then
    tail -n 15 "$log" >&2
    echo "This failed: ${command[*]}" >&2
    exit 1
fi
