#!/usr/bin/env bash
# Compiles each header of core by itself: it includes what it needs. usage: tools/headers.sh
set -euo pipefail
cd "$(dirname "$0")/.."
flags=(-std=c++20 -fsyntax-only -Wall -Wextra -Wno-psabi -Wno-unused-function -I. -DVECH_NAMESPACE=baseline)
status=0
while read -r header; do
    "${CXX:-g++}" "${flags[@]}" -x c++ -include "$header" /dev/null || { echo "$header does not stand alone" >&2; status=1; }
done < <(find core -name '*.hpp' | sort)
exit $status
