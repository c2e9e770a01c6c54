#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks the structure of the C sources, one line per finding, exit status 1 if there is any:
#   include order (a file includes its own folder or lower ones only), own header first, the home of each
#   library, what pure folders may not touch, sizes of files, functions and include lists, SPDX lines, words that
#   mark unfinished work, and that Makefile.am lists every source.
# Usage: check-layers.sh [TREE [FILE...]]
#   TREE: a copy of the source tree, default: the one this script is in; FILE...: look at these sources only
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2
[ $# -eq 0 ] || shift
export LC_ALL=C

findings=0
report() {
    printf '%s\n' "$*"
    findings=$((findings + 1))
}

mapfile -t sources < <(find common agent client tests/unit tests/fuzz tests/bench -name '*.[ch]' 2>/dev/null | sort)
[ $# -eq 0 ] || sources=("$@")
mapfile -t defs < <(find common agent client -name '*.def' | sort)

# --- Layers ----------------------------------------------------------------------------------
# main > front > service > schedule > lease > sources > aws > {store, job} > config > policy > model
#   > {base, service_manager} > common; the clients stand beside the agent, on common alone.
layer_of() { # path from the top of the tree
    case $1 in
    # main and its parts: construction (agent.c), command line (options.c)
    agent/main.c | agent/agent.[ch] | agent/options.[ch]) echo 130 main ;;
    agent/service_manager.[ch]) echo 20 service_manager ;;
    agent/front/*) echo 120 front ;;
    agent/service/*) echo 110 service ;;
    agent/schedule/*) echo 100 schedule ;;
    agent/lease/*) echo 90 lease ;;
    agent/sources/*) echo 80 sources ;;
    agent/aws/*) echo 70 aws ;;
    agent/store/*) echo 60 store ;;
    agent/job/*) echo 60 job ;;
    agent/config/*) echo 50 config ;;
    agent/policy/*) echo 40 policy ;;
    agent/model/*) echo 30 model ;;
    agent/base/*) echo 20 base ;;
    common/*) echo 10 common ;;
    client/*) echo 15 client ;;
    tests/*) echo 999 tests ;;
    *) echo 0 none ;;
    esac
}

resolve() { # an include in quotes: where it lives, from the top; empty if nowhere
    local include=$1 from=$2 try
    for try in "$include" "agent/$include" "$(dirname "$from")/$include"; do
        [ -e "$try" ] && { echo "$try"; return; }
    done
}

check_includes() { # one file
    local file=$1 number include target layer name target_layer target_name first=yes
    read -r layer name < <(layer_of "$file")
    while IFS=: read -r number include; do
        target=$(resolve "$include" "$file")
        if [ -z "$target" ]; then
            report "$file:$number: \"$include\" is no header of this tree"
            continue
        fi
        if [ $first = yes ] && [ -e "${file%.c}.h" ] && [ "$target" != "${file%.c}.h" ] && [[ $file == *.c ]]; then
            report "$file:$number: the first include must be its own header, ${file%.c}.h"
        fi
        first=no
        read -r target_layer target_name < <(layer_of "$target")
        [ "$layer" -eq 999 ] && continue
        if [ "$target_layer" -gt "$layer" ] || { [ "$target_layer" -eq "$layer" ] && [ "$target_name" != "$name" ]; }; then
            report "$file:$number: $name may not include $target_name (\"$include\")"
        fi
        # The clients know nothing of the agent.
        if [ "$name" = client ] && [[ $target == agent/* ]]; then
            report "$file:$number: client may not include the agent (\"$include\")"
        fi
    done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]+"([^"]+)".*/\1/;t p;b;:p;=;p' "$file" | paste -d: - -)
    # A .c with a header of its own must include it before any system header too.
    if [[ $file == *.c ]] && [ -e "${file%.c}.h" ]; then
        include=$(grep -m1 -E '^[[:space:]]*#[[:space:]]*include' "$file" | sed -E 's/.*["<]([^">]+)[">].*/\1/')
        [ "$(resolve "$include" "$file")" = "${file%.c}.h" ] ||
            report "$file: the first include must be its own header, ${file%.c}.h"
    fi
}

# --- Homes of libraries ----------------------------------------------------------------------
# "header pattern|files that may include it" as extended regular expressions. Tests may include anything.
pins=(
    'lmdb\.h|agent/store/.*'
    'curl/.*|agent/aws/(http|call)\.c'
    'expat\.h|agent/aws/xml\.c'
    'jansson\.h|agent/model/(fence|least_policy)\.c|agent/config/policy_document\.c|agent/sources/json\.c|client/kmsctl_.*\.c'
    'msgpack(/.*)?\.h(pp)?|agent/service/wire\.c|agent/store/record_codec\.c|client/kmsctl_wire\.c'
    'libconfig\.h|agent/config/parse\.c'
    'event2/http.*|client/kms_endpoint\.c'
    'event2/.*|agent/front/.*|agent/schedule/.*|agent/job/.*|agent/(main|agent)\.c|client/kms_endpoint\.c'
    'systemd/.*|agent/service_manager\.c'
    'openssl/.*|agent/base/.*|agent/store/seal\.c'
)

check_pins() {
    local file=$1 number include pin pattern homes
    while IFS=: read -r number include; do
        for pin in "${pins[@]}"; do
            pattern=${pin%%|*} homes=${pin#*|}
            [[ $include =~ ^($pattern)$ ]] || continue
            [[ $file =~ ^($homes)$ ]] || report "$file:$number: <$include> has another home (${homes//\\/})"
            break
        done
    done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]+<([^>]+)>.*/\1/;t p;b;:p;=;p' "$file" | paste -d: - -)
}

# Pure folders compute: no input, no output, no clock, no threads.
check_pure() {
    local file=$1 hit
    case $file in agent/model/* | agent/policy/*) ;; *) return ;; esac
    while IFS= read -r hit; do
        report "$file:${hit%%:*}: this folder is pure, no ${hit#*:}"
    done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]+<((sys|net|netinet|arpa|linux)/.*|unistd\.h|fcntl\.h|pthread\.h|poll\.h|signal\.h|dirent\.h|pwd\.h|grp\.h|stdio_ext\.h|time\.h|(curl|event2|lmdb|openssl|systemd).*)>' "$file")
    while IFS= read -r hit; do
        report "$file:${hit%%:*}: this folder is pure, no call of a clock, file, environment or process here"
    done < <(grep -nE '\b(fopen|fread|fwrite|fprintf|printf|puts|open|read|write|time|clock_gettime|clock_(wall|boot|aws)_ms|getenv|getrandom|random_bytes|system|fork)\(' "$file" | grep -vE '^[0-9]+:[[:space:]]*(/?\*|//)')
    return 0
}

# --- Sizes -----------------------------------------------------------------------------------
max_lines=400 max_function=70 max_includes=15
# Files that are const tables through and through: longer is fine.
tables='^agent/config/schema\.c$'

check_sizes() {
    local file=$1 lines count
    lines=$(wc -l <"$file")
    case $file in
    tests/*) ;; # a table of cases may be long
    *)
        if [ "$lines" -gt $max_lines ] && ! [[ $file =~ $tables ]]; then
            report "$file: $lines lines, at most $max_lines"
        fi
        ;;
    esac
    count=$(grep -cE '^[[:space:]]*#[[:space:]]*include' "$file")
    # X-macro lists are included where they are expanded, not as headers.
    count=$((count - $(grep -cE '^[[:space:]]*#[[:space:]]*include.*\.def"' "$file")))
    case $file in
    tests/* | agent/main.c | agent/agent.c) ;; # they construct every part, so they name every part
    *) [ "$count" -le $max_includes ] || report "$file: $count includes, at most $max_includes" ;;
    esac
    # Functions start and end at column 0 (K&R with the brace on a line of its own, which clang-format keeps).
    case $file in tests/*) return ;; esac
    awk -v max=$max_function -v file="$file" '
        /^{/ { start = NR; name = last }
        /^}/ { if (start && NR - start + 1 > max) printf "%s:%d: %d lines, at most %d: %s\n", file, start, NR - start + 1, max, name; start = 0 }
        /^[A-Za-z_].*\(/ { last = $0 }
    ' "$file"
}

# --- Words -----------------------------------------------------------------------------------
# Written in halves, so that this file does not find itself.
unfinished='TO''DO|FIX''ME|X''XX|HA''CK|not imple''mented|unimple''mented|st''ub'
check_words() {
    local file=$1 hit
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || report "$file: no SPDX line at the top"
    while IFS= read -r hit; do
        report "$file:${hit%%:*}: marks unfinished work: ${hit#*:}"
    done < <(grep -nE "\\b($unfinished)\\b" "$file")
}

# Functions that overflow, run a shell, are not safe with threads or change the environment of others.
check_forbidden() {
    local file=$1 hit
    case $file in tests/*) return ;; esac
    while IFS= read -r hit; do
        report "$file:${hit%%:*}: forbidden function: ${hit#*:}"
    done < <(grep -nE '(^|[^A-Za-z0-9_.>])(gets|strcat|sprintf|vsprintf|strtok|system|popen|tmpnam|mktemp|alloca|setenv|putenv|rand|srand)\(' "$file" | grep -vE '^[0-9]+:[[:space:]]*(/?\*|//)')
    return 0
}

# --- Makefile.am -----------------------------------------------------------------------------
check_listed() {
    local file
    for file in "${sources[@]}" "${defs[@]}"; do
        case $file in
        tests/unit/*.c | tests/fuzz/fuzz_*.c) grep -qE "(^|[[:space:]])${file%.c}(\\.c)?([[:space:]]|$)" Makefile.am ;;
        *) grep -qE "(^|[[:space:]/)])${file//./\\.}([[:space:]]|$)" Makefile.am ;;
        esac || report "Makefile.am: $file is not listed"
    done
}

# In a checkout: whatever is committed is in the tarball too.
check_shipped() {
    local file
    [ -e .git ] || return 0
    while IFS= read -r file; do
        grep -qF -- "$file" Makefile.am || report "Makefile.am: $file is not listed"
    done < <(git ls-tree -r --name-only HEAD -- tests systemd man doc | grep -vE '\.[ch]$')
}

for file in "${sources[@]}"; do
    check_includes "$file"
    case $file in tests/*) ;; *) check_pins "$file" ;; esac
    check_pure "$file"
    while IFS= read -r line; do report "$line"; done < <(check_sizes "$file")
    check_words "$file"
    check_forbidden "$file"
done
for file in "${defs[@]}"; do check_words "$file"; done
check_listed
check_shipped
while IFS= read -r file; do check_words "$file"; done < <(find demo check tests systemd deploy '(' -name '*.py' -o -name '*.sh' -o -name demo -o -name check ')' -type f 2>/dev/null | sort)

if [ $findings -gt 0 ]; then
    echo "check-layers: $findings findings"
    exit 1
fi
echo "check-layers: ${#sources[@]} files are in order"
