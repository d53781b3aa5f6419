#!/usr/bin/env bash
# need.sh PACKAGE TEST...: make sure that Debian's PACKAGE is there (or several, in one word with blanks).
# Done when TEST passes. Else as root installs PACKAGE; anyone else is told the command.
set -euo pipefail

package=$1
shift
if "$@" >/dev/null 2>&1; then exit 0; fi

if ! command -v apt-get >/dev/null; then
    echo "error: missing: $package" >&2
    echo "hint: this system has no apt-get; install the counterpart of Debian's $package, then run make again" >&2
    exit 3
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "error: missing: $package" >&2
    echo "hint: sudo apt-get install --no-install-recommends $package" >&2
    exit 3
fi

echo "installing Debian's $package" >&2
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3)
# A source that does not answer is no reason to stop: what we need may come from another.
"${apt[@]}" update </dev/null >/dev/null || echo "warning: apt-get update: some sources failed" >&2
# We want programs, not services: what a package would start on its installation stays off, unless this machine has a
# policy of its own.
policy=${NEED_POLICY:-/usr/sbin/policy-rc.d}
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
# shellcheck disable=SC2086 # words on purpose
"${apt[@]}" install -y --no-install-recommends $package </dev/null >/dev/null
if ! said=$("$@" 2>&1); then
    echo "error: installed $package, but this still fails: $*" >&2
    echo "$said" >&2
    exit 3
fi
