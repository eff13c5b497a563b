#!/usr/bin/env bash
# Runs a quick share of the tests with the lowest versions of the libraries that pyproject.toml allows.
# usage: tools/lowest.sh [PYTHON], a Python with vech installed (not editable); its vech is what is tested
set -euo pipefail
cd "$(dirname "$0")/.."
installed=${1:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$installed" -m venv "$work/venv"
python=$work/venv/bin/python
"$python" -m pip install --quiet uv
"$work/venv/bin/uv" pip install --quiet --python "$python" --resolution lowest-direct -r pyproject.toml --extra test
place='import sysconfig; print(sysconfig.get_path("platlib"))'
cp -r "$("$installed" -c "$place")"/vech{,-*.dist-info} "$("$python" -c "$place")"
"$python" -m pytest -q -p no:cacheprovider -m "not slow" -n "$(nproc)" \
    tests/test_arrays.py tests/moves/test_nonzeros.py tests/{covariance,golden,linalg,packed,sparse_halves,tiled} \
    tests/io/test_{excel,hdf5,parquet,quantized_files,zarr}.py tests/test_frames.py \
    tests/adapters/test_{lazy_arrays,sklearn}.py tests/cli/test_cli_{covariance,info,streams}.py tests/plot/test_heatmap.py \
    --deselect tests/adapters/test_lazy_arrays.py::test_a_million_rows_are_one_small_layer  # older Dask makes two
