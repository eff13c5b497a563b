#!/usr/bin/env bash
# Compiles tests/core/driver.cpp with the core, and runs it. usage: tools/driver.sh [aarch64 | sanitize]
#   (nothing)  every target, as it stands
#   aarch64    by the cross compiler, under emulation: apt-get install g++-12-aarch64-linux-gnu qemu-user-static
#   sanitize   with the address and undefined-behaviour sanitizers
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cxx=${CXX:-g++} run=() targets="" flags=(-std=c++20 -O1 -pthread -I. -ffp-contract=off -fno-math-errno -Wno-psabi)
[[ $(uname -m) == x86_64 ]] && targets="avx512_icl avx512 avx2"
case ${1:-} in
    aarch64)
        cxx=${CXX:-aarch64-linux-gnu-g++-12} targets="" run=(qemu-aarch64-static -L /usr/aarch64-linux-gnu)
        ;;
    sanitize) flags+=(-g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all) ;;
    "") ;;
    *) sed -n 2,5p "$0" >&2; exit 2 ;;
esac
targets="$targets baseline"

compile() { # the object, then what is compiled
    "$cxx" "${flags[@]}" "${@:2}" -c -o "$folder/$1.o"
}
rows=""
for target in $targets; do
    rows+=" row($target)"
    units="batches dense metrics products quantized sparse bits"
    [[ $target == avx512 ]] && units=${units/ sparse/} # and the sparse kernels of avx2
    [[ $target == avx512_icl ]] && units=bits              # and the other kernels of avx512
    define=(-DVECH_TARGET_"$target" -DVECH_NAMESPACE="$target")
    for unit in $units; do compile "$target-$unit" "${define[@]}" "core/kernels/$unit.cpp"; done
done
compile dispatch "-DVECH_TARGETS(row)=$rows" core/dispatch.cpp
compile cache core/cache.cpp
compile parallel core/parallel.cpp
compile driver tests/core/driver.cpp
"$cxx" "${flags[@]}" "$folder"/*.o -o "$folder/driver"
"${run[@]}" "$folder/driver"
