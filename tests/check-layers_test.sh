#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Breaks each rule of check-layers.sh once, in a copy of the tree, and wants it to be found.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export LC_ALL=C
copy=$scratch/tree
failures=0 tries=0

broken= # the source that breaks a rule; only this one is looked at, the rest was judged at the start
fresh() {
    broken=
    rm -rf "$copy"
    mkdir -p "$copy"
    (cd "$top" && cp -a --parents Makefile.am common agent "$copy/")
    [ -d "$top/client" ] && cp -a "$top/client" "$copy/"
    mkdir -p "$copy/tests"
}

# found WORDS: the check must fail and say WORDS.
found() {
    local words=$1 output
    tries=$((tries + 1))
    if output=$("$top/tests/check-layers.sh" "$copy" ${broken:+"$broken"}); then
        echo "not found: $words"
        failures=$((failures + 1))
    elif ! grep -qF -- "$words" <<<"$output"; then
        printf 'found, but not told as "%s":\n%s\n' "$words" "$output"
        failures=$((failures + 1))
    fi
}

# new FILE TEXT: a source that breaks a rule, listed in Makefile.am so that nothing else is wrong with it.
new() {
    local file=$1 text=$2
    fresh
    broken=$file
    mkdir -p "$(dirname "$copy/$file")"
    printf '/* SPDX-License-Identifier: Apache-2.0 */\n%b\n' "$text" >"$copy/$file"
    printf '# %s\n' "$file" >>"$copy/Makefile.am"
}

repeat() { # COUNT TEXT
    local count=$1
    while [ "$count" -gt 0 ]; do printf '%s' "$2"; count=$((count - 1)); done
}

fresh
if ! output=$("$top/tests/check-layers.sh" "$copy"); then
    printf 'the tree as it is breaks rules:\n%s\n' "$output"
    exit 1
fi

new agent/store/broken.c '#include "service/service.h"'
found 'store may not include service ("service/service.h")'
new agent/store/broken.c '#include "job/job.h"'
found 'store may not include job'
new common/broken.c '#include "base/clock.h"'
found 'common may not include base'
new client/broken.c '#include "agent/base/clock.h"'
found 'client may not include'
new agent/base/broken.c '#include "service_manager.h"'
found 'base may not include service_manager'
new agent/store/broken.c '#include "no/such.h"'
found 'is no header of this tree'
new agent/model/ttl.c '#include "common/err.h"\n#include "model/ttl.h"'
found 'the first include must be its own header, agent/model/ttl.h'
new agent/model/ttl.c '#include <string.h>\n#include "model/ttl.h"'
found 'the first include must be its own header, agent/model/ttl.h'
for pin in agent/lease/broken.c:lmdb.h agent/sources/broken.c:curl/curl.h agent/aws/broken.c:expat.h \
    agent/service/broken.c:jansson.h agent/service/broken.c:msgpack.h agent/config/broken.c:libconfig.h \
    agent/service/broken.c:event2/event.h agent/main.c:event2/http.h agent/front/broken.c:systemd/sd-daemon.h \
    agent/aws/broken.c:openssl/evp.h client/broken.c:lmdb.h; do
    new "${pin%%:*}" "#include <${pin#*:}>"
    found "<${pin#*:}> has another home"
done
new agent/model/broken.c '#include <unistd.h>'
found 'this folder is pure, no #include <unistd.h>'
new agent/policy/broken.c '#include <pthread.h>'
found 'this folder is pure, no #include <pthread.h>'
new agent/model/broken.c 'long x(void);\nlong x(void)\n{\n    return time(0);\n}'
found 'this folder is pure, no call'
new agent/store/broken.c "$(repeat 401 'int a;\n')"
found 'at most 400'
new agent/store/broken.c "int x(void)\n{\n$(repeat 70 '    x();\n')}"
found 'at most 70: int x(void)'
new agent/store/broken.c "$(repeat 16 '#include <string.h>\n')"
found '16 includes, at most 15'
new agent/store/broken.c '/* TO''DO: later */'
found 'marks unfinished work'
new agent/store/broken.c 'void x(char *a)\n{\n    strcat(a, "x");\n}'
found 'forbidden function'
fresh
broken=agent/store/broken.c
printf 'int a;\n' >"$copy/agent/store/broken.c"
printf '# agent/store/broken.c\n' >>"$copy/Makefile.am"
found 'no SPDX line'
new agent/store/broken.c 'int a;'
cp "$top/Makefile.am" "$copy/Makefile.am"
found 'agent/store/broken.c is not listed'
fresh
broken=agent/main.c
mkdir -p "$copy/tests/x"
printf '# SPDX-License-Identifier: Apache-2.0\n# FIX''ME\n' >"$copy/tests/x/broken.py"
found 'tests/x/broken.py:2: marks unfinished work'

echo "check-layers_test: $tries broken rules tried, $failures not found"
[ $failures -eq 0 ]
