"""docs/quantized.md: its tables are those of the scripts it names."""

import re
from pathlib import Path

import numpy as np
import pytest

import vech

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "quantized.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs are not beside the tests")


@pytest.fixture(scope="module")
def text():
    return PAGE.read_text(encoding="utf-8")


def rows(text, first):
    """Of a table the cells of each row, by those that name it."""
    table = re.search(rf"^\| {re.escape(first)} \|.*?\n\n", text, re.DOTALL | re.MULTILINE)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]


def test_every_encoding_is_in_both_tables(text):
    described = {
        name
        for row in rows(text, "encoding | bits | level of a code")
        for name in re.findall(r"`([^`]*)`", row[0])
    }
    assert described == set(vech.ENCODINGS)
    measured = {row[0].split(",")[0] for row in rows(text, "encoding | bits a pair")}
    assert measured == set(vech.ENCODINGS)
    for name, bits, *_ in rows(text, "encoding | bits a pair"):
        assert int(bits) == vech.ENCODINGS[name.split(",")[0]].bits


@pytest.mark.slow
def test_errors_by_encoding_are_those_of_the_script(text):
    from benchmarks import quantized_errors as errors

    shown = rows(text, "encoding | bits a pair")
    assert [row[0].split(", ")[0] for row in shown] == [encoding for encoding, _ in errors.WAYS]
    fulls = [make(errors.N, np.random.default_rng(errors.SEED)) for make in errors.MATRICES.values()]
    for (encoding, scales), (_, _, bytes_, *cells) in zip(errors.WAYS, shown, strict=True):
        assert float(bytes_.removeprefix("1 / ")) == pytest.approx(
            1 / errors.share(encoding, scales), rel=0.01
        )
        for full, cell in zip(fulls, cells, strict=True):
            Q = vech.quantize((full + full.T) / 2, encoding, scales=scales)
            assert float(cell) == pytest.approx(Q.error.frobenius / np.linalg.norm(full), rel=0.06)


@pytest.mark.slow
def test_errors_of_the_inverse_root_are_those_of_the_script(text):
    from benchmarks import inverse_root as roots

    shown = rows(text, "stored")
    assert [row[0] for row in shown] == [row.what for row in roots.ROWS]
    assert [row[-1] for row in shown] == [row.published for row in roots.ROWS]
    assert tuple(roots.squares(4)) == pytest.approx(vech.ENCODINGS["linear2-4"].levels, abs=1e-12)
    full = roots.matrix("AR(.7) covariance")
    root, _ = roots.power(full, roots.POWER)
    for row, cells in zip(roots.ROWS, shown, strict=True):
        assert cells[1] == row.how and float(cells[2]) == row.bits
        if row.encoding == "int8" or row.encoding in roots.BITS:
            found = roots.found(row, full, root)
            nre, angle = cells[5].split(" (")[0].split(" / ")
            assert float(nre) == pytest.approx(found.nre, rel=0.06)
            assert float(angle) == pytest.approx(found.angle, rel=0.06)


@pytest.mark.slow
def test_what_helps_is_what_the_script_finds(text):
    from benchmarks import quantized_errors as errors

    shown = rows(text, "matrix | encoding | `quantize`")
    assert [row[0] for row in shown[::2]] == list(errors.HARD) and len(shown) == 2 * len(errors.HARD)
    for name, encoding, *cells in shown:
        if encoding == "int8" and name in ("sd 1.5", "eigenvalues k^-1.5"):
            full = errors.HARD[name](errors.N, np.random.default_rng(errors.SEED)).astype(np.float32)
            for cell, store in zip(cells, errors.HELP.values(), strict=True):
                error, held = errors.lost((full + full.T) / 2, store((full + full.T) / 2, encoding))
                assert [float(number) for number in cell.split(", ")] == pytest.approx([error, held], rel=0.1)
