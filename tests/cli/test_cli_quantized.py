"""`vech quantize`, and the other commands on what it writes."""

import json

import numpy as np
import pytest

import vech

N = 70


@pytest.fixture(autouse=True)
def half(there):
    X = np.random.default_rng(5).normal(size=(3 * N, N)) * np.linspace(0.2, 2, N)
    labels = [f"a{k}" for k in range(N)]
    vech.write("half.npy", vech.Packed(vech.pack((X.T @ X / N).astype("f4")), labels=labels))


def same(name, Q):
    found = vech.read(name)
    assert (found.encoding, found.domain, found.tile) == (Q.encoding, Q.domain, Q.tile)
    assert found.labels == Q.labels and np.array_equal(found.expand(), Q.expand())


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ((), {}),
        (("--encoding", "int4", "--tile", 32), {"encoding": "int4", "tile": 32}),
        (("--encoding", "nf4", "--scales", "two-sided"), {"encoding": "nf4", "scales": "two-sided"}),
        (("--scales", "0.02", "--clip"), {"scales": 0.02, "clip": True}),
        (("--domain", "cholesky", "--encoding", "uint8"), {"domain": "cholesky", "encoding": "uint8"}),
        (("--rounding", "stochastic", "--seed", 7), {"rounding": "stochastic", "seed": 7}),
    ],
)
def test_options_are_arguments(works, options, arguments):
    out = works("quantize", "half.npy", "-o", "q.npz", *options)
    Q = vech.quantize(vech.read("half.npy"), **arguments)
    same("q.npz", Q)
    assert out.startswith("q.npz: 70 x 70 float32, symmetric, ")
    assert f"\n{Q.encoding}, error: Frobenius {Q.error.frobenius:.4g}, largest {Q.error.max:.4g}, " in out


def test_bare_halves_and_streams_are_taken(vech_run, there):
    np.save("bare.npy", vech.read("half.npy").half)
    code, out, err = vech_run(
        *("quantize", "-", "--in-format", "npy", "--layout", "vech", "-o", "-", "--out-format", "npz"),
        stdin=(there / "bare.npy").read_bytes(),
    )
    assert code == 0 and err.startswith("stdout: 70 x 70 float32")
    (there / "q.npz").write_bytes(out)
    same("q.npz", vech.quantize(vech.read("half.npy").with_labels(None)))


def test_info_says_what_it_takes_and_what_was_lost(works):
    works("quantize", "half.npy", "-o", "q.npz", "--encoding", "int4", "--domain", "cholesky")
    Q = vech.read("q.npz")
    lines = works("info", "q.npz").splitlines()
    assert lines[0] == "q.npz: symmetric quantized half, float32"
    assert lines[1].startswith("int4 in the domain cholesky, tiles of 64: ")
    shares = f"{Q.nbytes / (4 * N * (N + 1) // 2):.3g} of the half, {Q.nbytes / (4 * N * N):.3g} of the full"
    assert f"{Q.nbytes / 1000:.3g} kB, {shares}" in lines[1]
    assert lines[2] == (
        f"error: Frobenius {Q.error.frobenius:.4g}, largest {Q.error.max:.4g}, "
        f"spectral {Q.error.spectral_bound:.4g} at most"
    )
    [said] = json.loads(works("info", "q.npz", "--json"))
    assert said["quantized"]["encoding"] == "int4" and said["quantized"]["bytes"] == Q.nbytes
    assert json.loads(works("info", "half.npy", "--json"))[0]["quantized"] is None
    bare = {name: value for name, value in Q.to_parts().items() if name != "error"}
    vech.write("bare.npz", vech.Quantized.from_parts(**bare))
    assert "\nno certificate of the error\n" in works("info", "bare.npz")


def test_other_commands_take_it(works):
    works("quantize", "half.npy", "-o", "q.npz")
    Q = vech.read("q.npz")
    works("convert", "q.npz", "-o", "again.npz")
    same("again.npz", Q)
    works("convert", "q.npz", "-o", "numbers.npy")
    works("expand", "q.npz", "-o", "full.csv")
    for name in ("numbers.npy", "full.csv"):
        assert np.array_equal(vech.read(name).expand().astype("f4"), Q.expand())
    works("convert", "q.npz", "--to", "numpy-triu", "-o", "triu.npy")
    assert vech.read("triu.npy").layout.name == "numpy-triu"
    assert works("verify", "q.npz") == "q.npz: all as it was written\n"


def test_the_error_of_tiles_is_drawn(works):
    pytest.importorskip("matplotlib")
    works("quantize", "half.npy", "-o", "q.npz", "--tile", 32)
    assert works("plot", "q.npz", "-o", "e.png") == "e.png: 70 x 70, the error of its tiles\n"
    assert works("plot", "q.npz", "-o", "h.png", "--triangle", "lower") == "h.png: 70 x 70, a heatmap\n"
    assert works("plot", "q.npz", "-o", "s.png", "--spectrum") == "s.png: 70 x 70, its spectrum\n"


def test_a_store_of_tiles_keeps_the_codes(works, fails):
    pytest.importorskip("zarr")
    works("quantize", "half.npy", "-o", "q.zarr", "--encoding", "int4")
    T, Q = vech.read("q.zarr"), vech.quantize(vech.read("half.npy"), "int4")
    assert (T.encoding, T.labels) == ("int4", Q.labels) and np.array_equal(T.expand(), Q.expand())
    lines = works("info", "q.zarr").splitlines()
    assert lines[0] == "q.zarr: symmetric store of tiles, float32"
    assert lines[2].startswith("int4 in the domain entries, tiles of 128: ")
    assert lines[3].startswith(f"error: Frobenius {Q.error.frobenius:.4g}, ")
    assert works("verify", "q.zarr") == "q.zarr: 1 tiles, all as they were written\n"
    for option in (("--scales", "two-sided"), ("--domain", "log"), ("--encoding", "int4x2")):
        assert fails("quantize", "half.npy", "-o", "r.zarr", *option) == (
            "tiles have a code for each number, and scales of their own: write .npz, and OUT is r.zarr"
        )


def test_what_is_wrong_is_said_in_options(fails):
    np.save("nan.npy", np.array([[1, np.nan], [np.nan, 1]]))
    np.save("indefinite.npy", np.array([[1.0, 2], [2, 1]]))
    quantize = ("quantize", "half.npy", "-o", "q.npz")
    assert fails(*quantize, "--encoding", "in8") == (
        "unknown encoding 'in8': did you mean 'int8' or 'uint8' or 'sign'?"
    )
    assert fails(*quantize, "--tile", 48) == "tile is 48, and a tile has 32, 64, 128 or 256 rows"
    assert "'x' is none of tile, two-sided, and no number" in fails(*quantize, "--scales", "x")
    said = fails(*quantize, "--encoding", "uint8", "--scales", "0.1")
    assert "--scales 0.1 is one number: leave --scales out, or say --encoding int8; in Python vech." in said
    assert fails(*quantize, "--seed", 1).startswith("seed is for --rounding 'stochastic'")
    assert "--rounding 'stochastic' needs --seed, an integer" in fails(*quantize, "--rounding", "stochastic")
    assert "give a larger one, or --clip" in fails(*quantize, "--scales", "1e-6")
    assert fails("quantize", "half.npy", "-o", "q.npy") == (
        "codes are written as .npz, or .zarr, and OUT is q.npy"
    )
    assert "S[1, 0] is nan" in fails("quantize", "nan.npy", "-o", "q.npz")
    assert "not positive definite" in fails("quantize", "indefinite.npy", "-o", "q.npz", "--domain", "log")
    np.savez("lies.npz", vech_codes=np.zeros(3, "u1"), vech_meta=np.asarray("{}"))
    assert fails("info", "lies.npz").startswith("lies.npz: has")
