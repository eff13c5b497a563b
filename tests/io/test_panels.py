"""Full matrices go out in panels of rows, in bounded memory, and never half."""

import json
import resource
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import cases
import reference
import vech
from compare import assert_same_bits
from vech.io import errors, panels

LINUX = sys.platform == "linux"
N = 7
HALVES = cases.pairwise(
    lambda layout, dtype, kind, panel: cases.fits(layout, dtype, kind, N),
    layout=cases.LAYOUTS,
    dtype={name: dtype for name, dtype in cases.DTYPES.items() if name not in cases.SMALL},
    kind=cases.STORE_KINDS,
    panel=(1, 3 * 7 * 8, 1 << 20),
    apart=("layout", "dtype"),  # rows are expanded as anywhere else
)


@cases.each("suffix", [".npy", ".bin"])
@cases.each(("layout", "dtype", "kind", "panel"), HALVES)
def test_the_file_holds_the_full_matrix(tmp_path, monkeypatch, suffix, layout, dtype, kind, panel):
    monkeypatch.setattr(panels, "PANEL", panel)
    half = cases.half(dtype, layout, kind, N)
    out = tmp_path / f"full{suffix}"
    vech.io.expand(out, vech.Packed(half, layout, kind=kind))
    got = np.load(out) if suffix == ".npy" else np.fromfile(out, dtype).reshape(N, N)
    assert_same_bits(got, reference.expand(half, layout, kind))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_the_smallest_matrices(tmp_path, n):
    vech.io.expand(tmp_path / "full.npy", vech.Packed(np.arange(n * (n + 1) / 2)))
    assert np.load(tmp_path / "full.npy").shape == (n, n)


@pytest.mark.skipif(not cases.SMALL, reason="ml_dtypes is not installed")
@pytest.mark.parametrize("dtype", cases.SMALL.values(), ids=str)
def test_numbers_of_ml_dtypes_go_out_as_bare_bytes(tmp_path, dtype):
    half = cases.moderate(dtype, 6)
    vech.io.expand(tmp_path / "full.npy", vech.Packed(half))
    assert_same_bits(np.load(tmp_path / "full.npy").view(half.dtype), vech.expand(half))
    assert_same_bits(vech.read(tmp_path / "full.npy", dtype=half.dtype).half, half)


def test_a_sparse_half_goes_out_dense(tmp_path):
    store = vech.SparseHalf([0, 1, 2], [0, 0], [1.0, 2.0], 2, triangle="lower")
    vech.io.expand(tmp_path / "full.npy", store)
    assert np.load(tmp_path / "full.npy").tolist() == [[1, 2], [2, 0]]


def test_progress_is_told_in_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(panels, "PANEL", 3 * 10 * 8)
    told = []
    vech.io.expand(
        tmp_path / "full.npy",
        vech.Packed(np.arange(55.0)),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(240, 800), (480, 800), (720, 800), (800, 800)]


def test_progress_is_told_within_a_panel(tmp_path, monkeypatch):
    monkeypatch.setattr(panels, "PANEL", 3 * 10 * 8)
    monkeypatch.setattr(panels, "STEP", 100)
    told, store = [], vech.Packed(np.arange(55.0))
    vech.io.expand(tmp_path / "full.npy", store, progress=lambda done, total: told.append(done))
    assert told == [100, 200, 240, 340, 440, 480, 580, 680, 720, 800]
    assert np.array_equal(np.load(tmp_path / "full.npy"), store.expand())


def test_a_description_that_would_be_stale_is_removed(tmp_path):
    out = tmp_path / "matrix.npy"
    store = vech.Packed(np.arange(6.0))
    vech.write(out, store)
    vech.io.expand(out, store)
    assert [entry.name for entry in tmp_path.iterdir()] == ["matrix.npy"]
    assert_same_bits(np.load(out), store.expand())


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_nothing_is_left_of_a_matrix_that_failed_half_way(tmp_path, monkeypatch, error):
    monkeypatch.setattr(panels, "PANEL", 1)
    out = tmp_path / "matrix.npy"
    vech.write(out, vech.Packed(np.arange(6.0)))
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}

    def fail(done, total):
        if done > total // 2:
            raise error

    with pytest.raises(error):
        vech.io.expand(out, vech.read(out), progress=fail)
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before


def test_space_is_reserved_before_the_first_panel(tmp_path, monkeypatch):
    events = []
    monkeypatch.setattr(panels, "reserve", lambda file, size: events.append(size))
    vech.io.expand(
        tmp_path / "full.npy",
        vech.Packed(np.arange(6.0)),
        progress=lambda done, total: events.append("panel"),
    )
    assert events == [128 + 9 * 8, "panel"]


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_a_half_larger_than_the_memory_that_is_taken(tmp_path):
    """A half of 200 MB, expanded to 400 MB with panels of 16 MB, takes 40 MB of anonymous memory at most."""
    n = 7071
    length = n * (n + 1) // 2
    half = np.lib.format.open_memmap(tmp_path / "half.npy", "w+", "f8", (length,))
    for start in range(0, length, 1 << 20):
        half[start : start + (1 << 20)] = np.arange(start, min(length, start + (1 << 20)))
    half.flush()
    description = {"vech": 1, "layout": "vech", "kind": "symmetric", "n": n, "dtype": "<f8"}
    (tmp_path / "half.npy.json").write_text(json.dumps(description))
    script = """
        import os, re, sys, vech
        from vech.io import panels
        panels.PANEL = 16 << 20
        def anonymous():
            return int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1])
        before, most = anonymous(), 0
        def look(done, total):
            global most
            most = max(most, anonymous() - before)
        vech.io.expand("full.npy", vech.read("half.npy"), progress=look)
        print(most)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 40 * 1024
    full = np.load(tmp_path / "full.npy", mmap_mode="r")
    layout = vech.as_layout("vech")
    for i, j in [(0, 0), (n - 1, 0), (0, n - 1), (n - 1, n - 1), (1234, 5678), (5678, 1234)]:
        assert full[i, j] == layout.position(i, j, n)


@pytest.mark.skipif(not LINUX, reason="RLIMIT_FSIZE")
@pytest.mark.parametrize("reserves", [True, False])
def test_a_full_disk_is_an_error_that_leaves_nothing(tmp_path, reserves):
    script = f"""
        import os, signal, vech, numpy as np
        if not {reserves}:
            del os.posix_fallocate
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            vech.io.expand("full.npy", vech.Packed(np.zeros(500 * 501 // 2)))
        except OSError as error:
            print(error.filename)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    )
    assert done.stdout.strip() == "full.npy"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not LINUX, reason="RLIMIT_FSIZE")
@pytest.mark.parametrize(
    "name, library", [("a.xlsx", "openpyxl"), ("a.h5::/m", "h5py"), ("a.parquet", "pyarrow")]
)
def test_a_disk_that_is_full_for_other_libraries_is_the_same_error(tmp_path, name, library):
    pytest.importorskip(library)
    script = f"""
        import signal, vech, numpy as np
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            vech.write({name!r}, vech.Packed(np.random.default_rng(1).random(300 * 301 // 2)))
        except OSError as error:
            print(error.filename)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16)),
    )
    assert done.stdout.strip() == name and done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_the_usual_panel_is_below_two_gigabytes():
    assert panels.PANEL <= 1 << 30
    assert errors.MAP_FROM <= 64 << 20
