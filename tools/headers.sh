#!/usr/bin/env bash
# Compiles each header of core by itself, side by side: it includes what it needs. usage: tools/headers.sh
set -euo pipefail
cd "$(dirname "$0")/.."
alone() {
    "${CXX:-g++}" -std=c++20 -fsyntax-only -Wall -Wextra -Wno-psabi -Wno-unused-function -I. -DVECH_NAMESPACE=baseline \
        -x c++ -include "$1" /dev/null || { echo "$1 does not stand alone" >&2; return 1; }
}
export -f alone
find core -name '*.hpp' -print0 | sort -z | xargs -0 -n 1 -P "$(nproc)" bash -c 'alone "$1"' bash
