"""Digests are XXH64, by tiles, and tell where numbers are others."""

import re

import numpy as np
import pytest

import cases
from vech import _core
from vech.io import digests
from vech.io.digests import check_digest, digest

PRIMES = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
MASK = (1 << 64) - 1


def rotated(word, by):
    return (word << by | word >> 64 - by) & MASK


def mixed(lane, word):
    return rotated((lane + word * PRIMES[1]) & MASK, 31) * PRIMES[0] & MASK


def xxh64(text):
    """The specification, step by step."""
    words = [int.from_bytes(text[at : at + 8], "little") for at in range(0, len(text) - 7, 8)]
    striped = len(text) // 32 * 4
    found = PRIMES[4]
    if striped:
        lanes = [PRIMES[0] + PRIMES[1], PRIMES[1], 0, -PRIMES[0]]
        for at, word in enumerate(words[:striped]):
            lanes[at % 4] = mixed(lanes[at % 4], word)
        found = sum(rotated(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & MASK
        for lane in lanes:
            found = ((found ^ mixed(0, lane)) * PRIMES[0] + PRIMES[3]) & MASK
    found = (found + len(text)) & MASK
    for word in words[striped:]:
        found = (rotated(found ^ mixed(0, word), 27) * PRIMES[0] + PRIMES[3]) & MASK
    rest = text[len(words) * 8 :]
    if len(rest) >= 4:
        word = int.from_bytes(rest[:4], "little")
        found = (rotated(found ^ word * PRIMES[0] & MASK, 23) * PRIMES[1] + PRIMES[2]) & MASK
        rest = rest[4:]
    for letter in rest:
        found = rotated(found ^ letter * PRIMES[4] & MASK, 11) * PRIMES[0] & MASK
    found = (found ^ found >> 33) * PRIMES[1] & MASK
    found = (found ^ found >> 29) * PRIMES[2] & MASK
    return found ^ found >> 32


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"", 0xEF46DB3751D8E999),
        (b"a", 0xD24EC4F1A98C6E5B),
        (b"abc", 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
    ],
)
def test_digests_are_those_that_other_programs_give(text, value):
    assert xxh64(text) == value
    assert _core.digest(np.frombuffer(text, np.uint8)) == value


@cases.each("length", [*range(70), 1000, 4097])
def test_digests_of_every_length_and_place(length):
    letters = np.random.default_rng(length).integers(0, 256, length + 3, dtype=np.uint8)
    for start in (0, 1, 3):
        found = letters[start : start + length]
        assert _core.digest(found) == xxh64(found.tobytes())


@pytest.mark.parametrize(
    "wrong", [np.zeros(4), np.zeros((2, 2), np.uint8), np.zeros(8, np.uint8)[::2], "abc", None]
)
def test_the_kernel_takes_bytes_in_a_row(wrong):
    with pytest.raises(TypeError):
        _core.digest(wrong)


@pytest.mark.parametrize("dtype", cases.DTYPES, ids=str)
def test_numbers_agree_with_their_own_digest(dtype):
    numbers = cases.raw(dtype, 10)
    found = digest(numbers)
    assert found == {"tile": 1 << 20, "xxh64": f"{xxh64(numbers.tobytes()):016x}"}
    for whole in (True, False):
        check_digest(numbers, found, whole=whole)


def test_there_is_a_digest_for_each_tile(monkeypatch):
    monkeypatch.setattr(digests, "TILE", 64)
    numbers = np.arange(20.0)
    parts = [numbers[:8], numbers[8:16], numbers[16:]]
    assert digest(numbers) == {
        "tile": 64,
        "xxh64": "".join(f"{xxh64(part.tobytes()):016x}" for part in parts),
    }
    check_digest(numbers, digest(numbers), whole=True)


@pytest.mark.parametrize(("count", "tile"), [(0, 64), (8 * 4, 64), (8 * 4 + 1, 128), (8 * 8 + 1, 256)])
def test_tiles_grow_where_there_would_be_too_many(monkeypatch, count, tile):
    monkeypatch.setattr(digests, "TILE", 64)
    monkeypatch.setattr(digests, "MOST_TILES", 4)
    found = digest(np.zeros(count))
    assert found["tile"] == tile and 16 <= len(found["xxh64"]) <= 4 * 16


@pytest.mark.parametrize("at", [0, 7, 8, 19])
def test_a_number_that_differs_is_found_and_its_tile_named(monkeypatch, at):
    monkeypatch.setattr(digests, "TILE", 64)
    numbers = np.arange(20.0)
    found = digest(numbers)
    numbers[at] = np.nextafter(numbers[at], 99)
    begin = at // 8 * 64
    with pytest.raises(
        ValueError, match=f"digests of other numbers: bytes {begin} to {min(160, begin + 64)} of"
    ):
        check_digest(numbers, found, whole=True)


@pytest.mark.parametrize("change", [np.negative, lambda numbers: numbers[::-1], lambda numbers: numbers * 0])
def test_a_change_of_all_numbers_is_found(change):
    numbers = np.linspace(-1, 1, 1000)
    with pytest.raises(ValueError, match="digests of other numbers"):
        check_digest(change(numbers), digest(numbers), whole=True)


def test_a_sample_looks_at_tiles_that_differ_first(monkeypatch):
    monkeypatch.setattr(digests, "TILE", 64)
    monkeypatch.setattr(digests, "SAMPLE", 64)
    numbers = np.zeros(8 * 100)
    numbers[8 * 37] = 1
    found = digest(numbers)
    numbers[8 * 50 + 3] = 5
    check_digest(numbers, found, whole=False)
    with pytest.raises(ValueError, match="bytes 3,200 to 3,264"):
        check_digest(numbers, found, whole=True)
    numbers[8 * 37] = 0
    with pytest.raises(ValueError, match="bytes 2,368 to 2,432"):
        check_digest(numbers, found, whole=False)


def test_a_sample_is_the_same_few_tiles(monkeypatch):
    monkeypatch.setattr(digests, "TILE", 64)
    monkeypatch.setattr(digests, "SAMPLE", 640)
    looked = []
    real = _core.digest
    numbers = np.arange(8000.0)
    found = digest(numbers)
    monkeypatch.setattr(digests._core, "digest", lambda tile: looked.append(tile.view("f8")[0]) or real(tile))
    check_digest(numbers, found, whole=False)
    assert len(looked) == 10 and looked[0] == 0 and looked[-1] == 7992


@pytest.mark.parametrize(
    "wrong",
    [None, "0123456789abcdef", {}, {"tile": 64}, {"tile": True, "xxh64": ""}, {"tile": 0, "xxh64": "0" * 16},
     {"tile": 64.0, "xxh64": "0" * 16}, {"tile": 64, "xxh64": 5}, {"tile": 64, "xxh64": "0" * 16, "more": 1}],
)  # fmt: skip
def test_a_digest_that_is_none(wrong):
    text = 'has a digest that is no object of "tile", bytes, and "xxh64", 16 letters for each tile'
    with pytest.raises(ValueError, match=re.escape(text)):
        check_digest(np.zeros(3), wrong, whole=True)


@pytest.mark.parametrize("text", ["", "0" * 32, "0" * 17])
def test_a_digest_for_another_number_of_tiles(text):
    with pytest.raises(ValueError, match=r"has \d digests, and the numbers have 1 tiles"):
        check_digest(np.zeros(3), {"tile": 64, "xxh64": text}, whole=True)


@pytest.mark.parametrize("cut", (0, 1, 2, 3, 5, 8, 16, 21, 24))
def test_digests_of_parts_are_those_of_the_whole_where_they_cover_tiles(monkeypatch, cut):
    """Tiles of four numbers; a part begins and ends anywhere."""
    monkeypatch.setattr(digests, "TILE", 32)
    numbers = np.arange(25.0)
    want = digest(numbers)
    known = {}
    for begin, end in ((0, cut), (cut, 25)):
        parts = digests.digests_of(numbers[begin:end], 8 * begin, 32)
        known |= digests.whole_tiles(parts, 8 * begin, 8 * end, 32)
    assert set(known) == {k for k in range(6) if not 4 * k < cut < 4 * k + 4}
    assert all(want["xxh64"][16 * k : 16 * k + 16] == text for k, text in known.items())
    assert digest(numbers, known) == want
