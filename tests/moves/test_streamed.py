"""Moves past the caches at any size: VECH_STREAMED_BYTES says where they begin, and is read once."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_limits import pairs, shifted

import cases
import vech
from cases import PLAIN
from compare import assert_same_bits

STREAMS = os.environ.get("VECH_STREAMED_BYTES") == "0"
within = pytest.mark.skipif(
    not STREAMS, reason="the test below runs it in a process where everything streams"
)

# Past the first band by less than a line, by some lines, and by some panels: their last ones end everywhere.
SIZES = {
    "u1": (257, 271, 272, 290, 319, 320, 545),
    "f2": (257, 263, 264, 272, 287, 288, 321, 530),
    "f4": (129, 131, 132, 135, 143, 144, 150, 195, 272),
    "f8": (129, 130, 131, 135, 136, 137, 192, 195, 263),
    "c16": (65, 66, 67, 68, 69, 96, 98, 131),
}


@within
@pytest.mark.every_target
@cases.each("layout", [PLAIN[name] for name in PLAIN if "zero" not in name], ids=str)
@cases.each("dtype", list(SIZES))
def test_streamed_moves_give_the_same_bits(dtype, layout):
    """Whatever the rest of a panel, the rest of a line, and the place of the target in its line."""
    item = np.dtype(dtype).itemsize
    for n in SIZES[dtype]:
        i, j = pairs(layout, n)
        half = np.random.default_rng(n).integers(1, 250, len(i)).astype(dtype)
        if dtype == "c16":
            half *= 1 + 2j
        full = np.full((n, n), {"one": 1, "zero": 0}.get(layout.diagonal, 0), dtype)
        full[i, j] = full[j, i] = half
        other = vech.Layout("lower", "columns" if layout.traversal == "rows" else "rows")
        for offset in {0, item % 64, 16, 48}:
            _, out, _ = shifted(full, offset, 0xA5)
            vech.expand(half, layout, kind="symmetric", out=out)
            assert_same_bits(out, full)
            for use in ("lower", "upper", "both"):
                _, out, _ = shifted(half, offset, 0xA5)
                vech.pack(full, layout, kind="symmetric", use=use, out=out)
                assert_same_bits(out, half)
            if layout.diagonal == "stored":
                want = full[pairs(other, n)]
                _, out, _ = shifted(want, offset, 0xA5)
                vech.convert(half, layout, other, kind="symmetric", out=out)
                assert_same_bits(out, want)
        if dtype == "f2":
            continue  # what rounding may leave is more than the least difference
        changed = full.copy()
        changed[n - 1, n - 2] += 1
        with pytest.raises(ValueError, match=r"symmetric"):
            vech.pack(changed, layout, kind="symmetric")


@pytest.mark.skipif(STREAMS, reason="it is what started this process")
def test_every_size_can_be_streamed():
    """The tests above, and others: bytes beside the arrays, every offset, rows of components, overflow."""
    here = Path(__file__)
    tests = [
        here,
        *(here.with_name(f"test_{name}.py") for name in ("limits", "axis", "batches")),
        here.parents[1] / "packed" / "test_updates.py",
        here.parents[1] / "quantized" / "test_quantized_kernels.py",
    ]
    chosen = "streamed or outside or byte_offset or threads_gives or panels_of_rows or overflow_any or along"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *tests,
            "-k",
            f"{chosen} or outer_products or codes_scales_and_numbers or becomes_codes",
        ],
        env={**os.environ, "VECH_STREAMED_BYTES": "0"},
        cwd=here.parents[2],
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert int(done.stdout.rsplit(" passed", 1)[0].split()[-1]) > 200
