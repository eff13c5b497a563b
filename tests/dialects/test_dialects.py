"""Each name of a layout is the order of the library that it names: asked, or read in what it once gave."""

import functools
import importlib.metadata
import itertools
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import scipy.linalg.lapack

import cases
import libraries  # noqa: F401
import orders
import vech
from evidence import LIBRARIES, RECORDS, recorded
from vech.layouts.dialects import DIALECTS, TABLE

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]

# ---- evidence ----------------------------------------------------------------------------------------------


@functools.cache
def records():
    """What each library gave when it was recorded."""
    return {path.stem: recorded(path.stem)[1] for path in sorted(RECORDS.glob("*.json"))}


@functools.cache
def evidence_for(dialect):
    """What all records hold on it."""
    return [piece for pieces in records().values() for piece in pieces if piece.dialect == dialect]


@functools.cache
def live(library):
    """What the library installed here gives; skips where it is not."""
    try:
        LIBRARIES[library].version()
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{library} is not installed (extra test-dialects holds what installs easily)")
    return LIBRARIES[library].ask()


RECORDED = sorted({piece.dialect for pieces in records().values() for piece in pieces})


def question(piece):
    return (piece.dialect, piece.way, piece.kind, piece.given.dtype.str, piece.given.shape)


# ---- what vech says of it ----------------------------------------------------------------------------------


def objection(piece):
    """What vech does under that name that the library did not, None where there is nothing."""
    layout = DIALECTS[piece.dialect]
    try:
        if not orders.explains(orders.of_layout(layout, orders.side_of(piece)), piece):
            return f"another order than {layout}"
        answers = moved(piece, layout)
    except (ValueError, TypeError) as error:
        return str(error)
    differ = (way for way in answers if not orders.agree(piece, answers[way], scaled=layout.scaled))
    return next((f"vech, {way}: {answers[way]}" for way in differ), None)


def moved(piece, layout):
    """The answers of vech to the same question, by the ways to them."""
    name, kind = piece.dialect, piece.kind
    given = piece.given.astype(np.result_type(piece.given, piece.gave))
    rows = vech.Layout(layout.triangle, "rows", diagonal=layout.diagonal)
    if piece.way == "packs":
        use = "both" if orders.obeys(given, kind) else layout.triangle
        half = vech.pack(given, rows, kind=kind, use=use)
        return {
            "pack": vech.pack(given, name, kind=kind, use=use),
            "convert": vech.convert(half, rows, name, kind=kind),
        }
    if piece.way == "expands":
        half = vech.convert(given, name, rows, kind=kind)
        return {
            "expand": vech.expand(given, name, kind=kind),
            "convert": vech.expand(half, rows, kind=kind),
        }
    values, vectors = np.linalg.eigh(vech.expand(given, name))
    nearest = vectors * np.maximum(values, 0) @ vectors.T
    return {"expand, pack": vech.pack(nearest, name, use=layout.triangle)}


@cases.each("dialect", RECORDED)
def test_a_dialect_is_what_its_library_gave(dialect):
    for piece in evidence_for(dialect):
        assert objection(piece) is None, piece


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_a_dialect_is_what_its_library_gives(library):
    for piece in live(library):
        assert objection(piece) is None, piece


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_a_record_answers_the_questions_of_today(library):
    assert [question(piece) for piece in live(library)] == [question(piece) for piece in records()[library]]


def test_every_library_that_can_be_asked_has_a_record():
    assert set(records()) == set(LIBRARIES)


@cases.each("dialect", RECORDED)
def test_evidence_has_a_side_at_which_orders_differ_and_an_odd_one(dialect):
    sides = {orders.side_of(piece) for piece in evidence_for(dialect)}
    if orders.listed_sides(dialect) == [3]:
        assert sides == {3}
    else:
        assert 4 in sides and any(n % 2 for n in sides)


# ---- sides at which a move takes another way than through a table of cells ---------------------------------

LARGE = (17, 18, 40, 65)


def compare_triangle(name, triangle, half):
    """Every move of vech between the two, under the layout of that name."""
    rows = vech.Layout(DIALECTS[name].triangle, "rows")
    by_rows = vech.pack(triangle, rows, kind="triangular")
    assert np.array_equal(vech.pack(triangle, name, kind="triangular"), half)
    assert np.array_equal(vech.expand(half, name, kind="triangular"), triangle)
    assert np.array_equal(vech.convert(by_rows, rows, name, kind="triangular"), half)
    assert np.array_equal(vech.convert(half, name, rows, kind="triangular"), by_rows)


@cases.each("uplo", "UL")
@cases.each("transr", "NT")
@cases.each("dtype", ["f4", "c16"])
@cases.each("n", LARGE)
def test_a_large_triangle_in_rectangular_full_packed_is_lapacks(n, dtype, transr, uplo):
    letter, transposed = {"f4": ("s", "T"), "c16": ("z", "C")}[dtype]
    numbers = np.random.default_rng(n).normal(size=(2, n, n))
    matrix = (numbers[0] + 1j * numbers[1] if dtype == "c16" else numbers[0]).astype(dtype)
    triangle = (np.triu if uplo == "U" else np.tril)(matrix)
    pack = getattr(scipy.linalg.lapack, f"{letter}trttf")
    half, _ = pack(triangle, transr=transposed if transr == "T" else "N", uplo=uplo)
    compare_triangle(f"lapack-rfp-{transr}{uplo}".lower(), triangle, half)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("n", LARGE)
def test_a_large_spiral_is_the_one_of_tensorflow_probability(n, upper):
    numpy = pytest.importorskip("tensorflow_probability.substrates.numpy", reason="extra test-dialects")
    half = np.random.default_rng(n).normal(size=n * (n + 1) // 2)
    triangle = np.asarray(numpy.math.fill_triangular(half, upper=upper))
    compare_triangle(f"tfp-fill-triangular-{'upper' if upper else 'lower'}", triangle, half)


# ---- listings ----------------------------------------------------------------------------------------------


def test_every_name_has_a_listing():
    assert set(orders.LISTINGS) == set(DIALECTS)


def is_listed(name):
    """Whether the layout of that name is, in all it says, what the listing says."""
    layout, listing = DIALECTS[name], orders.LISTINGS[name]
    if (layout.triangle, layout.implied) != (listing["triangle"], None if listing["diagonal"] else 0):
        return False
    for n in orders.listed_sides(name):
        order = orders.listed(name, n)
        if isinstance(layout, vech.TensorOrder) and n != 3:
            return False
        if layout.length(n) != len(order.pairs) or layout.side(len(order.pairs)) != n:
            return False
        if orders.of_layout(layout, n) != order:
            return False
        i, j = np.array(order.pairs).T
        places = np.arange(len(i))
        if not (
            np.array_equal(layout.position(i, j, n), places)
            and np.array_equal(layout.position(j, i, n), places)
        ):
            return False
    return True


@cases.each("name", list(DIALECTS))
def test_a_layout_is_the_one_listed(name):
    assert orders.listed_sides(name)
    assert is_listed(name)


# ---- mistakes ----------------------------------------------------------------------------------------------


def mistaken(layout):
    """Every layout one mistake away, and the layout itself."""
    if isinstance(layout, vech.Layout):
        turned = replace(layout, triangle={"lower": "upper", "upper": "lower"}[layout.triangle])
        walked = replace(layout, traversal={"rows": "columns", "columns": "rows"}[layout.traversal])
        yield from (turned, walked, replace(walked, triangle=turned.triangle))
        yield from (replace(layout, diagonal=what) for what in ("stored", "zero", "one"))
    elif isinstance(layout, vech.TensorOrder):
        words = layout.components.split()
        for a, b in itertools.combinations(range(6), 2):
            swapped = list(words)
            swapped[a], swapped[b] = swapped[b], swapped[a]
            yield replace(layout, components=" ".join(swapped))
        yield replace(layout, components=" ".join(word[::-1] for word in words))
    else:
        yield from (other for other in DIALECTS.values() if type(other) is type(layout))
        return
    scales = orders.SCALES.values()
    yield from (replace(layout, offdiagonal_scale=scale) for scale in scales)
    if layout.diagonal == "stored":
        yield from (replace(layout, diagonal_scale=scale) for scale in scales)


UNIT_DIAGONAL = {"plink-r2-triangle"}  # correlations: no question tells one diagonal number from another


def what_is_seen(dialect, pieces):
    """What of an order these pieces can tell, as a function of it."""
    blind = [
        *([orders.folded] if all(map(orders.is_symmetric, pieces)) else []),
        *([orders.relative] if all(piece.way == "projects" for piece in pieces) else []),
        *([orders.without_diagonal] if dialect in UNIT_DIAGONAL else []),
    ]
    return lambda order: functools.reduce(lambda left, forget: forget(left), blind, order)


def refute(dialect, wrong):
    """Asserts that the dialect with that layout fails its own checks: its listing, and telling evidence."""
    right, pieces = DIALECTS[dialect], evidence_for(dialect)
    with mock.patch.dict(DIALECTS, {dialect: wrong}):
        assert not is_listed(dialect), f"listed as {wrong}"
    name = f"{dialect} as {wrong!r}"  # moves remember what they know of a name
    with mock.patch.dict(DIALECTS, {name: wrong}):
        contradicted = any(objection(piece._replace(dialect=name)) is not None for piece in pieces)
    if pieces and not contradicted:
        seen, n = what_is_seen(dialect, pieces), orders.listed_sides(dialect)[0]
        assert seen(orders.of_layout(wrong, n)) == seen(orders.of_layout(right, n)), f"passes as {wrong}"


@cases.each("dialect", list(DIALECTS))
def test_a_dialect_with_a_mistake_in_its_layout_fails(dialect):
    wrongs = [layout for layout in mistaken(DIALECTS[dialect]) if layout != DIALECTS[dialect]]
    assert wrongs
    for wrong in wrongs:
        refute(dialect, wrong)


@cases.each("row", TABLE, ids=lambda row: row.name)
def test_a_row_of_the_table_with_the_layout_of_another_row_fails(row):
    for name in dict.fromkeys(other.layout for other in TABLE if other.layout != row.layout):
        assert DIALECTS[name] != DIALECTS[row.name]
        refute(row.name, DIALECTS[name])


@cases.each("dialect", RECORDED)
def test_evidence_contradicts_every_mistake_in_an_order_that_it_can_see(dialect):
    mistakes = 0
    for n in orders.listed_sides(dialect):
        order = orders.listed(dialect, n)
        pieces = [piece for piece in evidence_for(dialect) if orders.side_of(piece) == n]
        seen = what_is_seen(dialect, pieces)
        for what, mutant in orders.mutants(order) if pieces else ():
            if seen(mutant) != seen(order):
                assert not all(orders.explains(mutant, piece) for piece in pieces), what
                mistakes += 1
    assert mistakes >= (6 if dialect in UNIT_DIAGONAL else 15)


# ---- what the table says of its proof ----------------------------------------------------------------------


def distributions(requirements):
    """The names in a list of requirements, normalised."""
    return {re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", text)[0]).lower() for text in requirements}


IN_EXTRA = distributions([*PYPROJECT["dependencies"], *PYPROJECT["optional-dependencies"]["test-dialects"]])


# DIPY tells how it reads what these write: no word of their own.
AT_SECOND_HAND = {("dipy", "fsl-dtifit"), ("dipy", "mrtrix-dwi2tensor"), ("dipy", "nifti-symmatrix")}


def witnesses(dialect):
    """The libraries whose records prove it."""
    return {
        library
        for library, pieces in records().items()
        if (library, dialect) not in AT_SECOND_HAND and any(piece.dialect == dialect for piece in pieces)
    }


@cases.each("row", TABLE, ids=lambda row: row.name)
def test_the_table_says_how_a_dialect_is_proven(row):
    if distributions(witnesses(row.name)) & IN_EXTRA:
        assert row.proof == "runs"
    elif witnesses(row.name):
        assert row.proof == "recorded"
    else:
        assert row.proof.startswith("read: ")


def test_the_extra_pins_libraries_that_are_asked_to_the_versions_recorded():
    pins = PYPROJECT["optional-dependencies"]["test-dialects"]
    versions = dict(pin.split("==") for pin in pins)
    assert versions == {name: recorded(name)[0] for name in versions if name in LIBRARIES}
