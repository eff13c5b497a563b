"""What vech writes, the program that a file format is of reads: the same numbers, the same labels."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas
import pytest
import scipy.io
import scipy.sparse
from scipy.spatial.distance import squareform

import vech
import vech.io

NAMES = ["Ann", "Bob", "Cyd", "Dan", "Eve"]
FULL = np.random.default_rng(9).normal(size=(5, 5)) * 10.0 ** np.arange(-3, 2)
FULL = FULL + FULL.T
FULL[0, 2] = FULL[2, 0] = 1 / 3
FULL[3, 1] = FULL[1, 3] = 1e-300
DISTANCES = np.abs(FULL - np.diag(np.diag(FULL)))


def lower(half, diagonal=0):
    full = np.zeros((5, 5), half.dtype)
    full[np.tril_indices(5, diagonal)] = half
    return full + np.tril(full, -1).T


def upper(half):  # vech is what NumPy calls triu
    full = np.zeros((5, 5), half.dtype)
    full[np.triu_indices(5)] = half
    return full + np.triu(full, 1).T


def numpy_npy(path):
    return upper(np.load(path)), json.loads(Path(f"{path}.json").read_text())["labels"]


def numpy_npz(path):
    held = np.load(path)
    return upper(held["vech_half"]), json.loads(held["vech_meta"].item())["labels"]


def framed(frame):
    assert list(frame.index) == list(frame.columns)
    return frame.to_numpy(), list(frame)


def pandas_text(path):
    separator = "," if ".csv" in path else "\t"
    return framed(pandas.read_csv(path, sep=separator, index_col=0, dtype=str).astype(float))


def scikit_bio(path):
    skbio = pytest.importorskip("skbio", reason="it reads PHYLIP's files")
    read = skbio.DistanceMatrix.read(path, format="phylip_dm")
    return read.data, list(read.ids)


def individuals(path):
    return [line.split()[-1] for line in Path(path.removesuffix(".bin") + ".id").read_text().splitlines()]


def triangle(path):
    """As the documentation of GCTA (ReadGRMBin) and of PLINK says that it is read."""
    matrix = path.split(".")[1]
    diagonal, of_diagonal = {"grm": (0, 0), "rel": (0, 0), "mibs": (-1, 1)}.get(matrix, (-1, 0))
    full = lower(np.fromfile(path, "<f4" if matrix == "grm" else "<f8"), diagonal)
    people = Path(f"x.{matrix}.id").read_text().splitlines()
    return full + of_diagonal * np.eye(5, dtype=full.dtype), [line.split()[-1] for line in people]


def h5py(path):
    with pytest.importorskip("h5py").File(path) as file:
        return upper(file["cov"][:]), [name.decode() for name in file["cov_labels"][:]]


def zarr(path):
    array = pytest.importorskip("zarr").open(path, mode="r")["cov"]
    return upper(array[:]), array.attrs["labels"]


def harwell_boeing(path):
    return scipy.io.hb_read(path, spmatrix=False).toarray(), None


def cooler(path):
    found = pytest.importorskip("cooler").Cooler(path)
    return found.matrix(balance=False)[:], list(found.bins()[:].itertuples(index=False, name=None))


READERS = {
    "npy": numpy_npy,
    "npz": numpy_npz,
    "raw": lambda path: (upper(np.fromfile(path)), None),
    "matrix_market": lambda path: (scipy.io.mmread(path, spmatrix=False), None),
    "delimited_matrix": pandas_text,
    "phylip": scikit_bio,
    "plink": triangle,
    "hdf5": h5py,
    "zarr": zarr,
    "parquet": lambda path: framed(getattr(pandas, f"read_{path.partition('.')[2]}")(path)),
    "excel": lambda path: framed(pandas.read_excel(path, index_col=0)),
    "harwell_boeing": harwell_boeing,
    "cooler": cooler,
}
NEEDS = {"excel": "openpyxl", "parquet": "pyarrow", "hdf5": "h5py", "zarr": "zarr", "cooler": "h5py"}
SAID = {"raw": {"dtype": "f8", "layout": "vech"}}

WRITTEN = [
    suffix
    for suffix, module in vech.io.FORMATS.items()
    if module != "magenpy"  # which holds correlations of variants: io/test_magenpy.py
    and vech.io.file_format(Path(f"x{suffix}")).CAN.write
]


def test_every_file_format_that_is_written_has_a_reader():
    assert {vech.io.FORMATS[suffix] for suffix in WRITTEN} == set(READERS)


@pytest.mark.parametrize("suffix", WRITTEN)
def test_its_own_program_reads_what_was_written(suffix):
    if vech.io.FORMATS[suffix] in NEEDS:
        pytest.importorskip(NEEDS[vech.io.FORMATS[suffix]])
    path = f"x{suffix.replace('.n.', '.N.')}"
    form = vech.io.FORMATS[suffix]
    full, layout = FULL, "vech"
    if form == "phylip" or ".king" in suffix or "dist" in suffix:
        full, layout = DISTANCES, "strict-tril"
    if ".mibs" in suffix:
        full, layout = DISTANCES + np.eye(5), vech.Layout("lower", "rows", diagonal="one")
    if ".grm" in suffix:
        full = FULL.astype("f4")
    can = vech.io.file_format(Path(path)).CAN
    names = [("chr1", k, k + 1) for k in range(5)] if form == "cooler" else NAMES
    store = vech.Packed(vech.pack(full, layout), layout, labels=names if can.labels else None)
    if form == "harwell_boeing":  # SciPy reads what is not called symmetric
        vech.io.expand(path, store)
    else:
        vech.write(f"{path}::/cov" if form in ("hdf5", "zarr") else path, store)
    found, labels = READERS[form](path)
    np.testing.assert_array_equal(found.toarray() if scipy.sparse.issparse(found) else found, full)
    assert labels == (names if can.labels else None)
    assert can.labels or vech.read(path, **SAID.get(form, {})).labels is None


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
@pytest.mark.parametrize(
    ("suffix", "reader"),
    [
        (".csv", 'read.csv("x.csv", row.names = 1, check.names = FALSE)'),
        (".csv.gz", 'read.csv("x.csv.gz", row.names = 1)'),
        (".tsv", 'read.delim("x.tsv", row.names = 1)'),
        (".phy", 'read.table("x.phy", skip = 1, row.names = 1)'),
    ],
)
def test_r_reads_it(suffix, reader):
    vech.write(f"x{suffix}", vech.Packed(vech.pack(DISTANCES), labels=NAMES).to_layout("strict-tril"))
    script = f"m <- as.matrix({reader}); d <- as.dist(m); cat(labels(d), sprintf('%.17g', d))"
    said = subprocess.run(
        ["Rscript", "-e", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert said[:5] == NAMES
    np.testing.assert_allclose([float(cell) for cell in said[5:]], squareform(DISTANCES), rtol=1e-15)


@pytest.mark.skipif(shutil.which("phylip") is None, reason="PHYLIP is not installed")
def test_phylip_prints_the_same_distances():
    vech.write("x.phy", vech.Packed(vech.pack(DISTANCES, "strict-tril"), "strict-tril", labels=NAMES))
    shutil.move("x.phy", "infile")
    subprocess.run(["phylip", "neighbor"], input="1\nY\n", capture_output=True, text=True, check=True)
    printed = re.findall(r"^(\w{3}) +((?:\d+\.\d+ *){5})$", Path("outfile").read_text(), re.MULTILINE)
    assert [name for name, _ in printed] == NAMES
    np.testing.assert_allclose(np.array([row.split() for _, row in printed], float), DISTANCES, atol=1e-5)


@pytest.mark.skipif(shutil.which("plink1.9") is None, reason="PLINK is not installed")
def test_plink_finds_the_same_relatives():
    kinship = np.eye(5, dtype="f4")
    kinship[4, 1] = kinship[1, 4] = 0.3
    vech.write("x.grm.bin", vech.Packed(vech.pack(kinship), labels=[("fam", name) for name in NAMES]))
    for cutoff, kept in (("0.29", 4), ("0.31", 5)):
        subprocess.run(
            ["plink1.9", "--grm-bin", "x", "--rel-cutoff", cutoff, "--out", "kept"],
            capture_output=True,
            check=True,
        )
        rows = [line.split() for line in Path("kept.grm.id").read_text().splitlines()]
        assert len(rows) == kept and {family for family, _ in rows} == {"fam"}
        assert {"Ann", "Cyd", "Dan"} <= {name for _, name in rows}
