"""PHYLIP's distances: what its program wrote, each shape and naming of its documentation, the way back."""

import io
import re
from pathlib import Path

import numpy as np
import pytest

import cases
import vech
from vech.io import FileFormatError

DATA = Path(__file__).parent / "data"
FULL = np.array([[0, 0.3, 0.9, 1.7], [0.3, 0, 0.7, 2.0], [0.9, 0.7, 0, 4.5], [1.7, 2.0, 4.5, 0]])
NAMES = ("Alpha", "Beta", "Gamma", "Delta")
SHAPES = {
    "square": lambda i: FULL[i],
    "lower": lambda i: FULL[i, :i],
    "upper": lambda i: FULL[i, i + 1 :],
    "lower with diagonal": lambda i: FULL[i, : i + 1],
    "upper with diagonal": lambda i: FULL[i, i:],
}
LAYOUTS = {"square": "condensed", "lower": "strict-tril", "upper": "strict-triu"}


def text_of(shape, names, width=99, digits="%g"):
    rows = []
    for i, name in enumerate(names):
        words = [digits % number for number in SHAPES[shape](i)]
        lines = [" ".join(words[k : k + width]) for k in range(0, max(1, len(words)), width)]
        rows.append(f"{name} " + "\n  ".join(lines))
    return f"    {len(names)}\n" + "\n".join(rows) + "\n"


def read(tmp_path, text, name="a.phy", **options):
    (tmp_path / name).write_text(text)
    return vech.read(tmp_path / name, **options)


@cases.each("shape", list(SHAPES))
@cases.each("width", [1, 2, 99])
@cases.each(
    "names",
    [
        NAMES,
        tuple(f"{name:<10}" for name in NAMES),
        tuple(f"{name} sp. 1"[:10].ljust(10) for name in NAMES),
        ("Homo_sapiens_neanderthalensis", *NAMES[1:]),
        ("1", "2", "3", "4"),
    ],
)
def test_every_shape_and_naming(tmp_path, shape, width, names):
    store = read(tmp_path, text_of(shape, names, width))
    assert store.labels == tuple(name.strip() for name in names)
    assert store.layout == vech.as_layout(LAYOUTS[shape.removesuffix(" with diagonal")])
    assert store.expand().tolist() == FULL.tolist()


@pytest.mark.parametrize("name", ["a.txt", "a.dist", "a.phylip", "a.csv"])
def test_other_suffixes_are_told_by_content(tmp_path, name):
    assert read(tmp_path, text_of("lower", NAMES), name).labels == NAMES


def test_the_program_itself():
    square, lower = vech.read(DATA / "phylip-square.phy"), vech.read(DATA / "phylip-lower.phy")
    assert square.labels == lower.labels == ("Alpha", "Beta G", "Gamma", "Delta", "Epsilon")
    assert square[0, 4] == lower[0, 4] == 2.570345
    assert lower.half.tolist()[:3] == [0.299889, 0.899750, 0.699653]
    wrapped = vech.read(DATA / "phylip-wrapped.phy")
    assert wrapped.labels == tuple(f"Taxon {k}" for k in range(1, 13))
    assert wrapped[1, 7] == 1.900194 and wrapped[0, 10] == 1.283545


def test_names_that_could_be_numbers_of_a_diagonal(tmp_path):
    text = "2\nA 1       \nB 2       0.5\n"  # names of ten letters: words would be A with 1, B with 2 and 0.5
    assert read(tmp_path, text).labels == ("A 1", "B 2")


def test_which_names_can_be_said(tmp_path):
    text = "2\nAlphabetic 0 1\nBetabetica 1 0\n"
    assert read(tmp_path, text, names="relaxed").labels == ("Alphabetic", "Betabetica")
    assert read(tmp_path, text, names="strict").labels == ("Alphabetic", "Betabetica")
    with pytest.raises(ValueError, match="names='both' is none of relaxed, strict"):
        read(tmp_path, text, names="both")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": begins with '', and PHYLIP begins with the number of rows"),
        ("a\nb\n", ", line 1: begins with 'a', and PHYLIP begins with the number of rows"),
        ("0\n", ", line 1: begins with '0', and"),
        ("99999999999\nA 0", ", line 1: begins with '9999999999', and"),
        ("3\nA 0 1 2\nB 1 0 3\n", ", line 3: ends after 2 rows as a square of 3 rows"),
        (
            "2\nA 0 1\nB 1 0\nC 2 3\n",
            ", line 4: has more lines than 2 rows as a square of 2 rows, which of all shapes fits longest",
        ),
        ("2\nA 0 1\nB 1 x\n", ", line 3: holds 'x', which is no number as a square of 2 rows"),
        ("2\nA 0 1\nA 1 0\n", ", line 3: has the label 'A' twice"),
        ("2\nA 0 1\nB 2 0\n", ", line 3: matrix is not symmetric: a[1, 0] is 2.0, but a[0, 1] is 1.0"),
        ("2\nA 5 1\nB 1 0\n", ": the diagonal of layout condensed is zero, but a[0, 0] is 5.0"),
        ("2\nA\nB 1\n" + "\n".join("1" * 9), ", line 1: says 2 rows, and 7 lines follow"),
    ],
)
def test_what_is_refused(tmp_path, text, message):
    with pytest.raises(FileFormatError) as caught:
        read(tmp_path, text)
    assert f"a.phy{message}" in str(caught.value)


# ---- out ---------------------------------------------------------------------------------------------------

STORE = vech.Packed(np.array([0.1, 1 / 3, 1e-300, 2.0, 5.0, 7.25]), "condensed", labels=NAMES)


@pytest.mark.parametrize("name", ["a.phy", "a.phylip.gz"])
@pytest.mark.parametrize("labels", [NAMES, ("Homo_sapiens_neanderthalensis", "2", "c", "Ä")])
def test_what_is_written_comes_back(tmp_path, name, labels):
    written = vech.Packed(STORE.half, "condensed", labels=labels)
    vech.write(tmp_path / name, written)
    for path_names in (None, "relaxed"):
        store = vech.read(tmp_path / name, names=path_names)
        assert store.labels == labels and store.half.tolist() == STORE.half.tolist()


def test_names_of_ten_letters_are_strict_too(tmp_path):
    vech.write(tmp_path / "a.phy", STORE)
    assert vech.read(tmp_path / "a.phy", names="strict").labels == NAMES
    assert (tmp_path / "a.phy").read_text().splitlines()[:2] == [
        "4",
        "Alpha      0.0 0.1 0.3333333333333333 1e-300",
    ]


def test_scikit_bio_reads_what_is_written_and_we_what_it_writes(tmp_path):
    skbio = pytest.importorskip("skbio")
    vech.write(tmp_path / "a.phy", STORE)
    read = skbio.DistanceMatrix.read(str(tmp_path / "a.phy"), format="phylip_dm")
    assert read.ids == NAMES and read.data.tolist() == STORE.expand().tolist()
    text = io.StringIO()
    read.write(text, format="phylip_dm")
    (tmp_path / "b.phy").write_text(text.getvalue())
    assert vech.read(tmp_path / "b.phy").expand().tolist() == STORE.expand().tolist()
    read.write(str(tmp_path / "c.tsv"))  # lsmat: a table with labels
    assert vech.read(tmp_path / "c.tsv").labels == NAMES


@pytest.mark.parametrize(
    ("store", "message"),
    [
        (vech.Packed(np.arange(3.0), "condensed"), "PHYLIP names each row, and this store has no labels"),
        (vech.Packed(np.ones(3), labels="ab"), "PHYLIP holds distances, symmetric and zero on the diagonal"),
        (vech.Packed(np.ones(1), "condensed", kind="skew", labels="ab"), "PHYLIP holds distances, symmetric"),
        (vech.Packed(np.ones(1), "condensed", labels=("a b", "c")),
         "the label 'a b' is no name of PHYLIP, which is one word"),
        (vech.Packed(np.ones(1), "condensed", labels=(1, 2)),
         "the label 1 is no name of PHYLIP, which is one word"),
    ],
)  # fmt: skip
def test_what_is_no_distance_is_not_written(tmp_path, store, message):
    with pytest.raises(ValueError, match=re.escape(f"a.phy: {message}")):
        vech.write(tmp_path / "a.phy", store)
    assert list(tmp_path.iterdir()) == []
