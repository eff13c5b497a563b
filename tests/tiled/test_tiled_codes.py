"""Stores of tiles of few bits a number: what comes back, its certificate, and descriptions that lie."""

import json
import pickle
import re

import numpy as np
import pytest
import zarr

import vech
from compare import assert_close, assert_same_bits
from vech import tiled
from vech.io import FileFormatError

N, TILE = 300, 128
ENCODINGS = [name for name in vech.ENCODINGS if name != "kmeans-4"]


@pytest.fixture(scope="module")
def full():
    A = np.random.default_rng(7).normal(size=(N, N)) * np.linspace(0.1, 3, N)
    return A + A.T


def blocks_of(full):
    return lambda rows, columns: full[rows, columns]


def made(path, full, encoding="int8", **said):
    T = tiled.create(path, len(full), dtype=full.dtype, tile=TILE, encoding=encoding, **said)
    return T.fill(blocks_of(full))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_tiles_have_the_numbers_of_a_quantized_half(tmp_path, full, encoding):
    T, Q = made(tmp_path / "T.zarr", full, encoding), vech.quantize(full, encoding)
    assert (T.encoding, T.dtype, T.verify(), T.missing()) == (encoding, np.float64, [], [])
    assert_same_bits(T.expand(), Q.expand())
    apart = full - T.expand()
    assert T.error.frobenius == pytest.approx(np.linalg.norm(apart), rel=1e-12)
    assert T.error.frobenius >= np.linalg.norm(apart) and T.error.max >= abs(apart).max()
    assert np.linalg.norm(apart, 2) <= T.error.spectral_bound
    spans = [slice(0, 128), slice(128, 256), slice(256, 300)]
    norms = [[np.linalg.norm(apart[i, j]) if i.start >= j.start else 0 for j in spans] for i in spans]
    np.testing.assert_allclose(T.error.tiles, norms)


def test_it_takes_the_bytes_of_its_codes(tmp_path, full):
    T = made(tmp_path / "T.zarr", full, "int4")
    assert T.nbytes == 6 * (16 + 8 * 128 + 8 * 4 + 128 * 128 // 2 + 4)


@pytest.mark.parametrize("tile", [32, 128])
@pytest.mark.parametrize("encoding", [name for name in vech.ENCODINGS if name != "int4x2"])
def test_codes_scales_and_certificate_of_a_quantized_half_are_kept(tmp_path, full, encoding, tile):
    Q = vech.quantize(full.astype("f4"), encoding, tile=tile).with_labels(range(N))
    vech.write(tmp_path / "T.zarr", Q, tile=256)
    T = vech.read(tmp_path / "T.zarr")
    assert (T.encoding, T.tile, T.labels) == (encoding, 256, Q.labels)
    assert_same_bits(T.expand(), Q.expand())
    assert T.error.frobenius == pytest.approx(Q.error.frobenius) and T.error.max == Q.error.max
    x = np.ones(N, "f4")
    assert_close(T @ x, Q @ x, N, abs(Q.expand()) @ x)


@pytest.mark.parametrize("options", [{"scales": "two-sided"}, {"encoding": "int4x2"}])
def test_numbers_are_written_where_scales_are_not_those_of_tiles(tmp_path, full, options):
    Q = vech.quantize(full, **options)
    vech.write(tmp_path / "T.zarr", Q)
    T = vech.read(tmp_path / "T.zarr")
    assert T.encoding is None and T.error is None and np.array_equal(T.expand(), Q.expand())


def test_any_store_is_written_in_codes(tmp_path, full):
    vech.write(tmp_path / "T.zarr", vech.Packed(vech.pack(full)), encoding="nf4")
    assert_same_bits(vech.read(tmp_path / "T.zarr").expand(), vech.quantize(full, "nf4").expand())


def test_codes_without_a_certificate_have_none(tmp_path, full):
    Q = vech.Quantized.from_parts(**(vech.quantize(full).to_parts() | {"error": None}))
    vech.write(tmp_path / "T.zarr", Q)
    assert vech.read(tmp_path / "T.zarr").error is None


def test_levels_of_its_own_are_kept(tmp_path, full):
    levels = tuple(np.linspace(-1, 1, 16))
    T = made(tmp_path / "T.zarr", full, vech.quantized.Encoding("kmeans-4", 4, levels=levels))
    assert_same_bits(tiled.open(T.path).expand(), vech.quantize(full, "kmeans-4", levels=levels).expand())


def test_a_skew_matrix_is_skew(tmp_path, full):
    A = np.tril(full, -1) - np.tril(full, -1).T
    T = made(tmp_path / "T.zarr", A, "int4", kind="skew")
    assert np.array_equal(T.expand(), -T.expand().T) and abs(T.expand() - A).max() < 2
    assert T.verify() == []


def test_it_grows_and_what_was_there_stays(tmp_path, full):
    T = made(tmp_path / "T.zarr", full[:200, :200], "int8")
    before = T.expand(slice(0, 128))
    T.append(full[200:])
    assert (T.n, T.missing()) == (N, [])
    assert_same_bits(T.expand(slice(0, 128))[:, :192], before[:, :192])  # squares that were full
    assert abs(tiled.open(T.path).expand() - full).max() <= 2 * T.error.max


@pytest.mark.parametrize("encoding", ["int4", "nf4", "uint8", "float16", "int4x2"])
@pytest.mark.parametrize("factor", [1, 40])
def test_what_was_lost_is_lost_though_it_grows(tmp_path, full, encoding, factor):
    """Old numbers beside larger ones are rounded again."""
    grown = full.copy()
    grown[100:] *= factor
    grown[:, 100:] *= factor
    T = made(tmp_path / "T.zarr", grown[:100, :100], encoding)
    for n in (130, 140, N):
        T.append(grown[T.n : n, :n])
        apart = grown[:n, :n] - T.expand()
        assert np.linalg.norm(apart) <= T.error.frobenius < 3 * np.linalg.norm(apart) + 1e-9
        assert abs(apart).max() <= T.error.max < 3 * abs(apart).max() + 1e-9
    assert tiled.open(T.path).error.frobenius == T.error.frobenius


def test_what_is_not_known_stays_so_though_it_grows(tmp_path, full):
    Q = vech.Quantized.from_parts(**(vech.quantize(full[:100, :100]).to_parts() | {"error": None}))
    vech.write(tmp_path / "T.zarr", Q, tile=128)
    tiled.open(tmp_path / "T.zarr", "r+").append(full[100:])
    assert tiled.open(tmp_path / "T.zarr").error is None


@pytest.mark.parametrize("url", [True, False])
def test_an_append_that_fails_leaves_the_old_numbers(tmp_path, full, url):
    path = "memory://failed/T.zarr" if url else tmp_path / "T.zarr"
    T = made(path, full[:200, :200], overwrite=True)
    before, error = T.expand(), T.error.frobenius
    for last in (128, 256):

        def fails(rows, columns, last=last):
            if (rows.start, columns.start) >= (last, 128):
                raise ZeroDivisionError
            return 1000 * full[rows, columns]

        with pytest.raises(ZeroDivisionError):
            T.append(fails, n=N)
        found = tiled.open(path)
        assert (found.n, found.verify(), found.missing(), found.error.frobenius) == (200, [], [], error)
        assert_same_bits(found.expand(), before)
    T.append(full[200:])
    assert abs(tiled.open(path).expand() - full).max() <= T.error.max
    assert tiled.create(path, 3, overwrite=True).n == 3


def test_tiles_that_wait_when_a_store_has_grown_are_read_and_take_their_place(tmp_path, full, monkeypatch):
    """As a writer leaves it that is killed in between; other versions refuse to read it."""
    T = made(tmp_path / "T.zarr", full[:200, :200], labels=range(200))
    whole = made(tmp_path / "whole.zarr", full[:200, :200], labels=range(200))
    whole.append(full[200:], labels=range(200, N))
    with monkeypatch.context() as patched:
        patched.setattr(type(T._tiles), "settle", lambda _: None)
        T.append(full[200:], labels=range(200, N))
    found = json.loads((tmp_path / "T.zarr/zarr.json").read_text())["attributes"]["vech"]
    assert (found["version"], found["next"]) == (2, 1)
    seen = tiled.open(T.path)
    assert_same_bits(seen.expand(), whole.expand())
    assert (seen.verify(), seen.missing()) == ([], [])
    assert seen.error.frobenius == whole.error.frobenius
    tiled.open(T.path, "r+")
    assert not (tmp_path / "T.zarr/data/next").exists()
    for store in (seen, tiled.open(T.path)):
        assert_same_bits(store.expand(), whole.expand())
    assert json.loads((tmp_path / "T.zarr/zarr.json").read_text())["attributes"]["vech"]["version"] == 1


def test_an_error_is_not_read_where_it_is_damaged(tmp_path, full):
    T = made(tmp_path / "T.zarr", full)
    assert T.error.max > 0
    for at in (7, 15):
        file = tmp_path / "T.zarr/data/c/1/0"
        letters = file.read_bytes()
        file.write_bytes(letters[:at] + bytes([letters[at] ^ 64]) + letters[at + 1 :])
        for store in (T, tiled.open(T.path)):
            with pytest.raises(FileFormatError, match=r"tile \(1, 0\) is damaged: its crc32c is another one"):
                store.error  # noqa: B018
        file.write_bytes(letters)


def test_rows_that_a_killed_writer_added_are_not_seen(tmp_path, full):
    """A tile that has more rows than the description says, as a crash between the two leaves it."""
    T = made(tmp_path / "T.zarr", full[:200, :200])
    more = made(tmp_path / "more.zarr", full)
    for name in ("1/0", "1/1"):
        (tmp_path / "T.zarr/data/c" / name).write_bytes((tmp_path / "more.zarr/data/c" / name).read_bytes())
    assert_same_bits(tiled.open(T.path).expand(), more.expand()[:200, :200])


def test_it_goes_on_elsewhere_and_by_url(full):
    T = made("memory://codes.zarr", full, "int4")
    again = pickle.loads(pickle.dumps(T))
    assert_same_bits(again.block([299, 3], [5, 200]), T.expand()[np.ix_([299, 3], [5, 200])])
    assert again.error.frobenius == T.error.frobenius


def test_zarr_opens_it(tmp_path, full):
    T = made(tmp_path / "T.zarr", full, "int8", compression="zstd")
    found = zarr.open_group(T.path, mode="r")["data"]
    size = found.chunks[1]
    assert (found.dtype, found.shape, found.chunks) == (np.uint8, (3, 3 * size), (1, size))
    diagonal = np.asarray(found[0, 16 : 16 + 8 * TILE]).view("<f8")
    assert np.array_equal(diagonal, full.diagonal()[:TILE])
    Q, beside = vech.quantize(full, "int8"), np.asarray(found[1, : found.chunks[1]])
    assert np.array_equal(beside[16 + 8 * TILE :][:32].view("<f8"), Q.scales[[3, 4, 6, 7]])
    codes = beside[16 + 8 * TILE + 32 :].reshape(2, 2 * 64 * 64)  # rows 2 and 3 of squares, each two of these
    for row, found_codes in zip((2, 3), codes, strict=True):
        first = 64 * 64 * row * (row + 1) // 2
        assert np.array_equal(found_codes, Q.codes[first : first + 2 * 64 * 64])


def test_rows_that_are_not_there_have_no_part_in_scales(tmp_path, full):
    """Of "uint8" zero would be the least number, and below those of a square whose numbers are positive."""
    A = np.abs(full) + 5
    T = made(tmp_path / "T.zarr", A, "uint8")
    assert_same_bits(T.expand(), vech.quantize(A, "uint8").expand())


def test_a_number_without_a_code_is_named_and_the_tile_is_as_before(tmp_path, full):
    T = made(tmp_path / "T.zarr", full, "float16")
    before = T.read_tile(1, 0).copy()
    block = full[128:256, :128].copy()
    block[2, 3] = np.nan
    with pytest.raises(ValueError, match=re.escape("S[130, 3] is nan: codes are of finite numbers")):
        T.write_tile(1, 0, block)
    block[2, 3] = 1e6
    with pytest.raises(OverflowError, match=re.escape("tile (1, 0) has numbers up to 1e+06, beyond float16")):
        T.write_tile(1, 0, block)
    assert_same_bits(T.read_tile(1, 0), before)


def test_a_damaged_tile_is_found_and_repaired(tmp_path, full):
    T = made(tmp_path / "T.zarr", full)
    file = tmp_path / "T.zarr/data/c/1/0"
    data = bytearray(file.read_bytes())
    data[5000] ^= 1
    file.write_bytes(data)
    with pytest.raises(FileFormatError, match="is damaged: its crc32c is another one"):
        tiled.open(T.path).read_tile(1, 0)
    assert T.verify() == [(1, 0)]
    T.repair(blocks_of(full))
    assert T.verify() == [] and T.error.frobenius == made(tmp_path / "U.zarr", full).error.frobenius


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"encoding": "int9"}, "unknown encoding 'int9'"),
        ({"encoding": 4}, "says codes {'encoding': 4"),
        ({"square": 48}, "tile is 48, and a tile has 32, 64, 128 or 256 rows"),
        ({"square": 256}, "tile is 128, and tiles of codes have a multiple of 256 rows"),
        ({"encoding": "int4"}, "has an array /data that is not the 3 x "),
        ({"levels": [1, 2]}, "levels are for 'kmeans-4', and 'int8' has its own"),
        ({"encoding": "kmeans-4", "levels": [1, 2]}, "levels has shape (2,)"),
        ({"encoding": "kmeans-4"}, "'kmeans-4' has 16 levels that are found in a whole matrix"),
    ],
)
def test_a_description_that_lies_is_refused(tmp_path, full, said, message):
    T = made(tmp_path / "T.zarr", full)
    file = tmp_path / "T.zarr/zarr.json"
    found = json.loads(file.read_text())
    found["attributes"]["vech"]["codes"] |= said
    file.write_text(json.dumps(found))
    with pytest.raises(FileFormatError, match=re.escape(message)):
        tiled.open(T.path)


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ({"tile": 100}, ValueError, "tile is 100, and tiles of codes have a multiple of 64 rows"),
        ({"dtype": "i4"}, TypeError, "codes are of float32 or float64, and dtype is int32: dtype='f4' fits"),
        ({"encoding": "int9"}, ValueError, "unknown encoding 'int9': did you mean"),
        (
            {"encoding": "kmeans-4"},
            ValueError,
            "by tile: levels = vech.quantized.codebook(S) of one like it, and encoding=vech.quantized.Enc",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, said, error, message):
    with pytest.raises(error, match=re.escape(message)):
        tiled.create(tmp_path / "T.zarr", 5, **({"encoding": "int8"} | said))
    assert not list(tmp_path.iterdir())
