"""The small picture of a store or a factor in a notebook: shades, names, range and size."""

import re
import time
from html.parser import HTMLParser

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse

import cases
import vech
from test_third_store import Rows
from vech.derived import portrait


def facts(store):
    return dict(re.findall(r"<th>(.*?)</th><td>(.*?)</td>", store._repr_html_()))


def size(nbytes):
    if nbytes < 1024:
        return f"{nbytes} bytes"
    return f"{nbytes / 2**10:.1f} KiB" if nbytes < 2**20 else f"{nbytes / 2**20:.1f} MiB"


def colours(store):
    return re.findall(r'fill="(#.*?)"', store._repr_html_())


@cases.each("n", [0, 1, 2, 3, 16, 17, 40, 1000])
@cases.each("dtype", ["f8", "c16", "?", "i4", "M8[D]", "f2", "bfloat16"])
def test_a_notebook_shows_a_small_picture(n, dtype):
    dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
    half = cases.moderate(dtype, n * (n + 1) // 2)
    store = vech.Packed(half, kind="symmetric")
    shown = store._repr_html_()
    assert len(shown) < 50_000
    assert shown.count("<rect") == min(n, 16) ** 2
    told = facts(store)
    assert told["n"] == str(n) and told["kind"] == "symmetric" and told["layout"] == "vech"
    assert told["dtype"] == str(dtype).replace("<", "&lt;").replace(">", "&gt;")
    assert told["memory"] == f"{size(half.nbytes)} (full matrix: {size(n * n * dtype.itemsize)})"


def test_the_picture_tells_signs_sizes_and_what_is_not_finite():
    store = vech.Packed(np.array([4.0, -4.0, 0.0, np.nan, 1.0, np.inf]))
    full = np.array(colours(store)).reshape(3, 3)
    assert (full == full.T).all()
    assert full[0, 0] == "#2166ac" and full[0, 1] == "#b2182b" and full[0, 2] == "#ffffff"
    assert full[1, 1] == full[2, 2] == "#888" and full[1, 2] not in ("#2166ac", "#ffffff")


def test_a_large_diagonal_does_not_pale_the_rest():
    store = vech.Packed(np.array([1e6, -0.5, 1.0, 1e6, 0.0, 1e6]))
    full = np.array(colours(store)).reshape(3, 3)
    assert full[0, 2] == "#2166ac" == full[0, 0]


def test_a_layout_without_a_name_is_safe_in_html():
    store = vech.Packed(np.ones(3), vech.Layout(offdiagonal_scale=3), labels=["<b>", "&"])
    shown = store._repr_html_()
    assert "Layout(&#x27;lower&#x27;" in shown
    assert "<b>" not in shown and "&lt;b&gt;, &amp;" in shown and ">&amp;</text>" in shown


def test_labels_range_and_size_are_told():
    S = vech.Packed(np.array([9.0, -0.25, 0.5, 9.0, np.nan, 9.0]), labels=["a", "b", "c" * 30])
    told = facts(S)
    assert told["labels"] == "a, b, " + "c" * 13 + "…"
    assert told["range"] == "-0.25 to 0.5 off the diagonal, 1 not finite"
    assert "<title>a, b: -0.25</title>" in S._repr_html_()
    long = vech.Packed(np.arange(20 * 21 // 2.0), labels=[f"r{k}" for k in range(20)])
    assert facts(long)["labels"] == "r0, r1, r2, ..., r17, r18, r19"
    assert facts(long)["range"] == "1 to 208 off the diagonal"
    assert "<text" not in long._repr_html_()
    assert facts(vech.Packed(np.ones(1)))["range"] == "no number off the diagonal"
    assert facts(vech.Packed(np.full(3, np.nan)))["range"] == "no finite number, 1 not finite"


def test_means_and_samples_are_said():
    assert "picture" not in facts(vech.Packed(np.ones(136)))
    assert facts(vech.Packed(np.ones(153)))["picture"] == "means over 16 x 16 parts"
    large = facts(vech.Packed(np.ones(129 * 130 // 2)))
    assert large["picture"] == "means over 16 x 16 parts, of a sample" and "of a sample" in large["range"]


def test_a_sparse_half_shows_what_it_stores():
    S = vech.SparseHalf.from_coo([2_999_999_999], [0], [-2.0], 3_000_000_000, use="lower")
    full = np.array(colours(S)).reshape(16, 16)
    assert full[15, 0] == full[0, 15] == "#b2182b" and (full != "#ffffff").sum() == 2
    told = facts(S)
    assert told["range"] == "-2 to -2 off the diagonal"
    assert told["stored"] == "1 in the lower triangle"
    assert told["picture"] == "means of what is stored in 16 x 16 parts"
    small = vech.SparseHalf.from_sparse(scipy.sparse.eye_array(4))
    assert facts(small)["range"] == "0 to 0 off the diagonal"


def test_any_store_has_a_picture():
    store = Rows(np.array([[1.0, 2.0], [2.0, 1.0]]), "symmetric", ["a", "b"])
    assert facts(store)["labels"] == "a, b" and "layout" not in facts(store)


def test_every_cell_of_the_picture_samples_its_block():
    for n in (128, 200, 257, 300, 1000, 100_000):
        rows = portrait.sampled(n)
        assert rows.size == portrait.SIDE * portrait.SAMPLES and (np.diff(rows) >= 0).all()
        assert rows[0] >= 0 and rows[-1] < n and np.unique(rows).size == rows.size
        assert (
            rows * portrait.SIDE // n == np.repeat(np.arange(portrait.SIDE), portrait.SAMPLES)
        ).mean() > 0.9


def test_a_skew_sparse_half_has_two_signs():
    S = vech.SparseHalf.from_coo([19, 3], [0, 3], [-2.0, 0.0], 20, use="lower", kind="skew")
    full = np.array(colours(S)).reshape(16, 16)
    assert full[15, 0] == "#b2182b" and full[0, 15] == "#2166ac"
    assert facts(S)["range"] == "-2 to 2 off the diagonal"


def test_many_stored_numbers_are_sampled_and_too_many_are_not_read(monkeypatch):
    S = vech.SparseHalf.from_sparse(scipy.sparse.csr_array(np.ones((40, 40))))
    monkeypatch.setattr(portrait, "STORED", 100)
    told = facts(S)
    assert told["picture"] == "means of what is stored in 16 x 16 parts, of a sample"
    assert told["range"] == "1 to 1 off the diagonal, of a sample"
    monkeypatch.setattr(portrait, "MOST_STORED", 800)
    monkeypatch.setattr(vech.SparseHalf, "to_coo", None)
    told = facts(S)
    assert told["picture"] == "none: 820 numbers take a while; vech.plot.heatmap(S) looks at all"
    assert "<svg" not in S._repr_html_() and "range" not in told


# ---------------------------------------------------------------- what labels cannot do


class Read(HTMLParser):
    """Every tag and attribute, and the text between."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text.append(data)


HOSTILE = (
    *("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</title></rect></svg><b>", "&amp;&lt;"),
    *("a\x00b", "\x1b[31mred", "two\nlines", "\u202eback", "\u2066", "\ud800", "\x85", "']]>", "x" * 10_000),
    *(("a", ("<i>", 3)), 3.5, None, b"<u>", np.datetime64("2024-01-01"), np.str_("<em>"), ""),
)


@pytest.mark.parametrize("n", [len(HOSTILE), 4, 1])
def test_labels_of_any_sort_are_text(n):
    for first in range(len(HOSTILE)):
        labels = [HOSTILE[(first + k) % len(HOSTILE)] for k in range(n)]
        S = vech.Packed(vech.pack(np.eye(n)), labels=labels)
        for shown in (S._repr_html_(), vech.linalg.cholesky(S)._repr_html_()):
            read = Read(shown)
            assert read.tags <= {"div", "svg", "rect", "title", "text", "table", "tbody", "tr", "th", "td"}
            assert not any(name.startswith("on") or name in ("src", "href") for name in read.attributes)
            assert all(text.isprintable() and len(text) < 200 for text in read.text)
            shown.encode("utf-8")


def test_controls_are_shown_and_long_labels_cut():
    S = vech.Packed(np.ones(6), labels=["a\x1b", "b\nc", "d" * 99])
    assert facts(S)["labels"] == r"a\x1b, b\nc, " + "d" * 13 + "…"


# ---------------------------------------------------------------- every store, and time


@pytest.mark.parametrize("n", [0, 1, 5, 300])
def test_every_store_has_its_facts(n, tmp_path):
    A = np.eye(n) + 0.25
    S = vech.Packed(A[np.triu_indices(n)], labels=[f"r{k}" for k in range(n)])
    T = vech.tiled.create(tmp_path / "T.zarr", n, tile=100).fill(lambda rows, cols: A[rows, cols])
    quantized = [vech.quantize(S, "int8"), vech.quantize(S, "int8", domain="cholesky")] if n else []
    for store in (S, vech.SparseHalf.from_sparse(scipy.sparse.csr_array(A)), T, *quantized):
        told = facts(store)
        assert told["n"] == str(n) and told["dtype"] == "float64" and "full matrix" in told["memory"]
        if "none" not in told.get("picture", ""):
            assert store._repr_html_().count("<rect") == min(n, 16) ** 2
            assert "0.25" in told["range"] or n < 2
    if n == 300:
        assert told["picture"] == (
            "none: its codes are not of the numbers, but of their cholesky; S.expand() computes them"
        )


def test_tiles_in_files_are_not_read_for_a_picture(tmp_path, monkeypatch):
    T = vech.tiled.create(tmp_path / "T.zarr", 30, tile=10)
    told = facts(T)
    assert told["picture"] == ("none: tile (0, 0) is not done: missing() lists all, fill() computes them")
    assert told["tiles"] == "of 10 rows, in files" and told["memory"] == "0 bytes (full matrix: 7.0 KiB)"
    T.fill(lambda rows, cols: np.ones((10, 10)))
    assert facts(T)["picture"] == "means over 16 x 16 parts"
    monkeypatch.setattr("vech.tiled.store.GLANCED", 1000)
    monkeypatch.setattr(vech.Tiled, "block", None)
    told = facts(T)
    assert told["picture"] == (
        "none: a look at its files would read them all; vech.view(S) reads what is looked at"
    )
    assert "<svg" not in T._repr_html_() and "range" not in told


def test_a_damaged_tile_is_said_and_no_error(tmp_path):
    vech.tiled.create(tmp_path / "T.zarr", 8).fill(lambda *_: np.ones((8, 8)))
    tile = next(path for path in (tmp_path / "T.zarr" / "data").rglob("0/0") if path.is_file())
    tile.write_bytes(tile.read_bytes()[:-1] + b"x")
    told = facts(vech.tiled.open(tmp_path / "T.zarr"))
    assert "tile (0, 0)" in told["picture"] and "verify() lists all" in told["picture"]


@pytest.mark.parametrize("make", ["hadamard", "outliers", "low_rank"])
def test_a_large_matrix_of_several_parts_is_not_computed_for_a_picture(make, monkeypatch):
    S = vech.Packed(vech.pack(np.eye(40) + 0.25))
    how = {"rank": 1} if make == "low_rank" else {}
    Q = getattr(vech.quantized, make)(S, encoding="int8", **how)
    assert "<svg" in Q._repr_html_()
    monkeypatch.setattr("vech.quantized.tilewise.GLANCED", 30)
    monkeypatch.setattr(type(Q), "block", None)
    assert facts(Q)["picture"] == (
        "none: its numbers are computed by whole tiles; vech.plot.heatmap(S) computes all"
    )


@pytest.mark.parametrize("encoding", [None, "int8", "int4"])
def test_a_large_matrix_is_looked_at_in_few_places(encoding):
    n = 4000
    S = vech.Packed(np.ones(n * (n + 1) // 2, np.float32))
    S = S if encoding is None else vech.quantize(S, encoding)
    taken = []
    for _ in range(5):
        began = time.process_time()
        S._repr_html_()
        taken.append(time.process_time() - began)
    assert min(taken) < 0.2  # of n = 10 000, alone on a processor: 0.02


# ---------------------------------------------------------------- factors


@cases.each("n", [0, 1, 2, 5, 16, 17, 200, 201])
@cases.each("dtype", ["f4", "f8", "c16"])
def test_a_factor_shows_its_triangle(n, dtype):
    rng = np.random.default_rng(0)
    B = rng.normal(size=(n, n)) + (1j * rng.normal(size=(n, n)) if dtype == "c16" else 0)
    A = (B @ B.conj().T + n * np.eye(n)).astype(dtype)
    S = vech.Packed(vech.pack(A, kind="hermitian", use="lower"), kind="hermitian", labels=list(range(n)))
    F = vech.linalg.cholesky(S)
    rows = np.arange(n)[::3]
    want = vech.expand(F.half, kind="triangular")[np.ix_(rows, rows)]
    np.testing.assert_array_equal(F._sample(rows), want)
    told, side = facts(F), min(n, 16)
    full = np.array(colours(F)).reshape(side, side)
    apart = 1 if n <= 16 else 2  # neighbouring cells may share a row
    assert (full[np.triu_indices(side, apart)] == "#ffffff").all()
    assert (np.diag(full) != "#ffffff").all()
    assert told["n"] == str(n) and told["factor"] == "S = L L^H"
    assert float(told["logdet"]) == pytest.approx(F.logdet(), rel=1e-5)
    assert told["memory"].split(" (")[0] == size(F.nbytes)
    if n == 5 and dtype != "c16":
        signed = vech.expand(F.half, kind="triangular")[np.tril_indices(n, -1)]
        assert told["range"] == f"{signed.min():.4g} to {signed.max():.4g} off the diagonal"


@cases.each("n", [0, 1, 5, 40])
def test_so_do_the_views_of_a_factor(n):
    A = np.full((n, n), 0.5) + np.diag(np.arange(1.0, n + 1)) + 0.25j * (np.tri(n) - np.tri(n).T)
    S = vech.Packed(vech.pack(A, kind="hermitian"), kind="hermitian", labels=[f"row {i}" for i in range(n)])
    F = vech.linalg.cholesky(S)
    told, side = facts(F), min(n, 16)
    del told["factor"], told["logdet"]
    for view, name in ((F.L, "L"), (F.L.H, "L^H"), (F.L.H.H, "L")):
        seen = facts(view)
        assert seen.pop("triangle") == f"{name} of S = L L^H"
        assert seen == told | ({"picture": told["picture"].replace("of L", f"of {name}")} if n > 16 else {})
    lower, upper = (np.array(colours(view)).reshape(side, side) for view in (F.L, F.L.H))
    assert (lower == colours_of(F)).all() and (upper == lower.T).all()
    if n == 5:
        assert f"row 0, row 3: {F.half[3].conj()}" in F.L.H._repr_html_()


def colours_of(F):
    side = min(F.n, 16)
    return np.array(colours(F)).reshape(side, side)


@pytest.mark.parametrize("n", [4, 16, 40, 150])
def test_a_factor_in_tiles_shows_what_one_in_memory_does(tmp_path, n, monkeypatch):
    S = vech.Packed(vech.pack(np.full((n, n), 0.5) + np.diag(np.arange(1.0, n + 1))))
    T = vech.tiled.write(tmp_path / "S.zarr", S, tile=7)
    F = vech.linalg.cholesky(T, out=tmp_path / "L.zarr")
    told, wanted = facts(F), facts(vech.linalg.cholesky(S))
    assert "off the diagonal" in told["range"] and colours(F) == colours(vech.linalg.cholesky(S))
    assert told | {"memory": wanted["memory"]} == wanted
    monkeypatch.setattr("vech.tiled.factor.GLANCED", 100)
    told = facts(F)
    assert told["picture"] == "none: a look at its files would read them all"
    assert "logdet" not in told and "range" not in told and "<svg" not in F._repr_html_()


def test_a_damaged_tile_of_a_factor_is_said_and_no_error(tmp_path):
    T = vech.tiled.create(tmp_path / "S.zarr", 4).fill(lambda *_: np.eye(4))
    vech.linalg.cholesky(T, out=tmp_path / "L.zarr")
    tile = next(path for path in (tmp_path / "L.zarr" / "data").rglob("0/0") if path.is_file())
    tile.write_bytes(tile.read_bytes()[:-1] + b"x")
    assert "tile (0, 0)" in facts(vech.tiled.open(tmp_path / "L.zarr"))["picture"]
