"""The C++ sources: includes go down, never in a circle. tools/headers.sh: a header brings what it needs."""

import re
from pathlib import Path

import pytest

import cases

ROOT = Path(__file__).parent.parent
CORE = ROOT / "core"

pytestmark = pytest.mark.skipif(not CORE.exists(), reason="the sources are not beside the tests")

# From the lowest layer up: a header includes lower ones alone.
LAYERS = (
    ("batches", "encodings", "layout", "number"),
    ("cache", "change", "digest", "finish", "memory", "parallel", "text"),
    ("runs", "move", "nearest", "product", "quantized", "codes", "table", "linkage", "metrics"),
    ("sparse",),
    ("gram", "overlap"),
    ("dispatch",),
    ("kernels/region",),
    ("kernels/change", "kernels/lines", "kernels/lanes"),
    ("kernels/decode", "kernels/elementary", "kernels/scale", "kernels/transpose"),
    ("kernels/formulas",),
    ("kernels/compress", "kernels/found", "kernels/rowwise", "kernels/sign_product", "kernels/strip"),
    ("kernels/pattern", "kernels/stencil"),
    (
        "kernels/batches", "kernels/cells", "kernels/codes", "kernels/columns", "kernels/crc32c",
        "kernels/dequantize", "kernels/entry", "kernels/finish", "kernels/gram", "kernels/integer_product",
        "kernels/linkage", "kernels/metrics", "kernels/mirror", "kernels/nearest", "kernels/outer",
        "kernels/planes", "kernels/product",
        "kernels/quantize", "kernels/quantized_product", "kernels/scan", "kernels/sparse_product",
        "kernels/symmetry",
    ),
    ("kernels/move",),
)  # fmt: skip
FLOOR = {name: floor for floor, names in enumerate(LAYERS) for name in names}
UNITS = ("bits", "metrics", "moves", "products", "quantized", "sparse")


def includes(path):
    """The project's own headers that a file includes, by their paths from the root without a suffix."""
    return re.findall(r'^#include "([^"]+)\.hpp"$', path.read_text(), flags=re.MULTILINE)


def headers():
    return sorted(str(path.relative_to(CORE).with_suffix("")) for path in CORE.rglob("*.hpp"))


def test_every_header_has_its_layer():
    assert headers() == sorted(FLOOR)


@cases.each("name", sorted(FLOOR))
def test_a_header_includes_lower_ones_alone(name):
    path = CORE / f"{name}.hpp"
    for other in includes(path):
        assert other.startswith("core/"), f"{name} includes {other}"
        assert FLOOR[other.removeprefix("core/")] < FLOOR[name], f"{name} includes {other}"
    assert "#pragma once" in path.read_text()


def test_kernels_are_not_included_from_below():
    for path in [*CORE.glob("*.hpp"), *CORE.glob("*.cpp")]:
        found = {name for name in includes(path) if "kernels" in name}
        assert not found, path.name


def test_every_kernel_is_in_one_unit():
    units = [name for unit in UNITS for name in includes(CORE / "kernels" / f"{unit}.cpp")]
    assert sorted(path.stem for path in (CORE / "kernels").glob("*.cpp")) == list(UNITS)
    assert len(units) == len(set(units))
    top = {f"core/{name}" for name in (*LAYERS[-2], *LAYERS[-1])}
    assert set(units) == top | {"core/kernels/pattern", "core/kernels/strip"}


def test_the_binding_includes_core_and_core_no_binding():
    for path in (ROOT / "bind").glob("*.?pp"):
        assert all(re.match("core/|bind/arrays$", name) for name in includes(path)), path.name
        assert not any("kernels" in name for name in includes(path)), path.name
    for path in CORE.rglob("*.?pp"):
        assert "nanobind" not in path.read_text() and "Python.h" not in path.read_text(), path.name


def test_no_name_of_a_binding_hides_one_of_a_header():
    """Some of them are compiled together, where an alias of one would mean something else to the next."""
    given = re.compile(r"^(?:using|struct|class|enum class) (\w+)(?: =| \{)", flags=re.MULTILINE)
    headers = [*(ROOT / "bind").glob("*.hpp"), *CORE.glob("*.hpp")]
    shared = {name for path in headers for name in given.findall(path.read_text())}
    assert len(shared) > 50
    for path in (ROOT / "bind").glob("*.cpp"):
        assert not shared & set(given.findall(path.read_text())), path.name
