#!/usr/bin/env bash
# Builds core and binding with the address and undefined-behaviour sanitizers of GCC, and runs the tests that reach
# every kernel of every target on the result. usage: tools/sanitize.sh [PYTHON], a Python with the extra 'test'
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
export CXX=${CXX:-g++}

runtime() { # the path of a library of the compiler
    local path
    path=$("$CXX" -print-file-name="$1")
    [[ -e $path ]] || { echo "tools/sanitize.sh: $CXX has no $1; it takes GCC on Linux" >&2; exit 1; }
    readlink -f "$path"
}
# Beside the sanitizer goes the C++ library: it wraps throwing, and Python itself brings none.
preload="$(runtime libasan.so) $(runtime libstdc++.so.6)"

site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
flags="-O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
"$python" -m pip install --quiet --no-deps --target "$site" . --config-settings=cmake.build-type=None \
    "--config-settings=cmake.define.CMAKE_CXX_FLAGS=$flags"

# CPython never frees some of its memory, so leaks are not looked for. Some tests ask for more memory than there is.
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
export PYTHONPATH=$site PYTHONDONTWRITEBYTECODE=1
LD_PRELOAD=$preload "$python" -m pytest -q -x -n 2 -p no:cacheprovider -m "not slow" \
    tests/test_core.py tests/moves/test_{moves,nonzeros,limits}.py tests/packed/test_products.py tests/sparse_halves \
    tests/pairwise/test_{pairwise,distances,distances_by_products,sparse_distances,pairwise_nearest}.py \
    tests/neighbors/test_nearest_rows.py tests/cluster/test_linkage.py tests/counts \
    tests/io/test_matrix_market.py tests/io/test_delimited.py tests/quantized/test_quantized_kernels.py
