"""`vech convert`: between all file formats, with labels, and as text of any marks."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas
import pytest
import scipy.sparse

import vech
import vech.io

FULL = np.array([[4.0, 1.5, 0], [1.5, 5, -2], [0, -2, 6]])
NEEDS = {".parquet": "pyarrow", ".xlsx": "openpyxl", ".h5": "h5py", ".zarr": "zarr", ".cool": "h5py"}
NEEDS |= {".ld.zarr": "numcodecs"}
DATA = Path(__file__).parent.parent / "io" / "data"


@pytest.fixture(autouse=True)
def half(there):
    vech.write("half.npz", vech.Packed(vech.pack(FULL, "numpy-tril"), "numpy-tril", labels=["a", "b", "c"]))


@pytest.mark.parametrize("suffix", vech.io.written())
def test_every_file_format_that_is_written_is_reached(works, suffix):
    if suffix in NEEDS:
        pytest.importorskip(NEEDS[suffix])
    full = FULL - np.diag(np.diag(FULL)) if suffix == ".phy" else FULL
    full = np.sign(full) if suffix == ".ld.zarr" else full  # correlations without a rounding
    labels = [("c", k, k + 1) for k in range(3)] if suffix == ".cool" else list("abc")
    has_labels = vech.io.file_format(vech.io.Path(f"x{suffix}")).CAN.labels
    vech.write("half.npz", vech.Packed(vech.pack(full).astype("f4"), labels=labels))
    if suffix != ".grm.bin":
        vech.write("half.npz", vech.Packed(vech.pack(full), labels=labels))
    name = f"made{suffix}" + ("::/matrix" if suffix in (".h5", ".zarr") else "")
    works("convert", "half.npz", "-o", name, *([] if has_labels else ["--drop-labels"]))
    more = {"dtype": "f8", "layout": "vech"} if suffix == ".bin" else {}
    made = vech.read(name, **more)
    assert np.array_equal(made.expand(), full)
    assert made.labels == (tuple(labels) if has_labels else None)


def test_numbers_become_another_dtype_first(works, fails):
    vech.write("whole.npz", vech.Packed(np.arange(6), labels=list("abc")))
    works("convert", "whole.npz", "-o", "whole.grm.bin", "--out-dtype", "float32")
    works("convert", "whole.npz", "-o", "scaled.npz", "--to", "svec-lower", "--out-dtype", "float64")
    vech.write("codes.npz", vech.quantize(vech.read("half.npz"), "int8"))  # which has no astype
    works("convert", "codes.npz", "-o", "numbers.npz", "--out-dtype", "float32")
    full = vech.expand(np.arange(6))
    assert np.array_equal(vech.read("whole.grm.bin").expand(), full)
    assert np.allclose(vech.read("scaled.npz").expand(), full, rtol=1e-15)
    assert vech.read("numbers.npz").dtype == np.float32
    refused = fails("convert", "half.npz", "-o", "half.grm.bin")
    assert refused == "half.grm.bin: holds float32, and this is float64: --out-dtype float32 makes it so"


def test_the_help_lists_what_is_written(works):
    text = " ".join(works("convert", "--help").split())
    assert f"{', '.join(vech.io.written()[:-1])} or {vech.io.written()[-1]}." in text
    assert {".npy", ".csv", ".phy", ".grm.bin", ".h5", ".parquet", ".xlsx"} <= set(vech.io.written())


def test_the_layout_stays_unless_another_is_said(works):
    works("convert", "half.npz", "-o", "same.npy")
    works("convert", "half.npz", "-o", "other.npy", "--to", "svec-upper")
    assert vech.read("same.npy").layout.name == "numpy-tril"
    assert vech.read("other.npy").layout.name == "svec-upper"
    assert np.allclose(vech.read("other.npy").expand(), FULL)


def test_sparse_stays_sparse_where_it_can(works):
    scipy.sparse.save_npz("sparse.npz", scipy.sparse.csr_array(FULL))
    works("convert", "sparse.npz", "-o", "sparse.mtx")
    works("convert", "sparse.mtx", "-o", "again.npz")
    works("convert", "sparse.mtx", "-o", "dense.csv")
    works("convert", "sparse.mtx", "-o", "packed.npz", "--to", "numpy-triu")
    assert isinstance(vech.read("again.npz"), vech.SparseHalf)
    assert vech.read("packed.npz").layout == vech.as_layout("numpy-triu")
    for name in ("again.npz", "dense.csv", "packed.npz"):
        assert np.array_equal(vech.read(name).expand(), FULL)


@pytest.mark.parametrize("sep, decimal", [(";", ","), ("\\t", "."), ("|", ","), (" ", ",")])
def test_text_of_any_marks_in_and_out(works, sep, decimal):
    works("convert", "half.npz", "-o", "made.csv", "--out-sep", sep, "--out-decimal", decimal)
    with open("made.csv") as file:
        assert f"4{decimal}0" in (text := file.read()) and sep.replace("\\t", "\t") in text
    works("convert", "made.csv", "-o", "made.npz", "--sep", sep, "--decimal", decimal)
    assert np.array_equal(vech.read("made.npz").expand(), FULL)
    assert vech.read("made.npz").labels == ("a", "b", "c")


def test_a_decimal_comma_alone_takes_semicolons(works):
    works("convert", "half.npz", "-o", "made.csv", "--out-decimal", ",")
    with open("made.csv") as file:
        assert file.read().splitlines()[:2] == [";a;b;c", "a;4,0;1,5;0,0"]


def test_how_text_is_read_is_said(works, there):
    (there / "numbers.csv").write_text("1,2,3\n2,5,6\n3,6,9\n")
    works("convert", "numbers.csv", "-o", "plain.npz", "--no-header", "--no-labels")
    assert vech.read("plain.npz").n == 3
    (there / "named.csv").write_bytes("ä;ö\n1;2\n2;5\n".encode("cp1252"))
    works("convert", "named.csv", "-o", "named.npz", "--encoding", "cp1252", "--sep", ";")
    assert vech.read("named.npz").labels == ("ä", "ö")


def test_labels_are_dropped_when_asked_alone(fails, works):
    assert "write .npy, .npz" in (message := fails("convert", "half.npz", "-o", "made.mtx"))
    assert message.endswith("or say --drop-labels")
    works("convert", "half.npz", "-o", "made.mtx", "--drop-labels")
    assert vech.read("made.mtx").labels is None
    scipy.sparse.save_npz("sparse.npz", scipy.sparse.csr_array(FULL))
    sparse = vech.read("sparse.npz")
    parts = (sparse.indptr, sparse.indices, sparse.data, sparse.n)
    vech.write("named.npz", vech.SparseHalf(*parts, triangle=sparse.triangle, labels=["a", "b", "c"]))
    works("convert", "named.npz", "-o", "other.mtx", "--drop-labels")
    assert np.array_equal(vech.read("other.mtx").expand(), FULL)


WRONG = {
    "out sep": (("made.npy", "--out-sep", ";"), "made.npy: .npy is written without --out-sep: leave it out"),
    "marks": (("made.csv", "--out-sep", ",", "--out-decimal", ","), "--out-sep ',' is the decimal mark too"),
    "comments": (("made.csv", "--out-sep", "#"), "--out-sep '#' is what comments begin with"),
    "letter": (("made.csv", "--out-sep", "e"), "--out-sep 'e' cannot separate cells"),
    "decimal": (("made.csv", "--out-decimal", "x"), "--out-decimal"),
    "in sep": (("made.csv", "--sep", ";"), "half.npz: .npz has no --sep: leave it out"),
    "read alone": (("made.fchk",), "made.fchk: .fchk is read and not written: write .npy"),
    "suffix": (("made.docx",), "made.docx: the suffix '.docx' is of no file format"),
    "layout": (("made.npz", "--to", "vek"), "unknown layout 'vek'"),
    "diagonal": (("made.npz", "--to", "condensed"), "diagonal"),
}


@pytest.mark.parametrize("arguments, message", WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_one_error(fails, arguments, message):
    assert message in fails("convert", "half.npz", "-o", *arguments)


def test_python_takes_no_unknown_option_of_writing(there):
    with pytest.raises(TypeError, match=r"made\.npz: \.npz is written without sep=: leave it out"):
        vech.write("made.npz", vech.read("half.npz"), sep=";")


def test_labels_of_several_parts_become_text(works, fails):
    distances = vech.Packed(
        np.array([1.0, 2, 3]), "condensed", labels=[("f1", "ann"), ("f1", "bob"), ("f2", 3)]
    )
    vech.write("people.npz", distances)
    refused = fails("convert", "people.npz", "-o", "people.phy")
    assert refused.endswith("is no name of PHYLIP, which is one word: say --join-labels MARK, or write .npz")
    refused = fails("convert", "people.npz", "-o", "people.csv")
    assert refused.endswith("and a table keeps text: say --join-labels MARK, or write .npz")
    works("convert", "people.npz", "-o", "people.phy", "--join-labels", "_")
    assert vech.read("people.phy").labels == ("f1_ann", "f1_bob", "f2_3")
    works("convert", "people.npz", "-o", "people.csv", "--join-labels", ":")
    assert vech.read("people.csv").labels == ("f1:ann", "f1:bob", "f2:3")
    days = pandas.date_range("2024-01-31", periods=3)
    vech.write("days.npz", distances.with_labels(days))
    works("convert", "days.npz", "-o", "days.tsv", "--join-labels", "_")
    assert vech.read("days.tsv", header=True, labels=True).labels == (
        "2024-01-31",
        "2024-02-01",
        "2024-02-02",
    )
    vech.write("species.npz", distances.with_labels(["Alpha", "Beta sp. 1", "Gamma  x"]))
    works("convert", "species.npz", "-o", "species.phy", "--join-labels", "_")
    assert vech.read("species.phy").labels == ("Alpha", "Beta_sp._1", "Gamma_x")
    vech.write("nameless.npz", distances.with_labels(None))
    refused = fails("convert", "nameless.npz", "-o", "nameless.phy")
    assert refused.endswith("PHYLIP names each row, and this store has no labels: write .csv")


def test_weights_and_columns_of_cooler(works, fails, there):
    pytest.importorskip("h5py")
    with zipfile.ZipFile(DATA / "cooler.zip") as archive:
        archive.extractall(there)
    works("convert", "a.cool", "-o", "balanced.npz", "--balance", "weight")
    works("convert", "a.cool", "-o", "score.npz", "--field", "score")
    assert np.array_equal(vech.read("balanced.npz").data, vech.read("a.cool", balance=True).data)
    assert vech.read("score.npz").dtype == np.float32
    assert ".npz has no --balance: leave it out" in fails(
        "convert", "half.npz", "-o", "b.npz", "--balance", "x"
    )


def test_pieces_are_converted_by_any_of_their_names(works, there):
    for path in DATA.glob("plink19-parallel*"):
        shutil.copy(path, there)
    works("convert", "plink19-parallel.grm.bin", "-o", "a.grm.bin")
    works("convert", "plink19-parallel.grm.bin.2", "-o", "b.grm.bin")
    assert Path("a.grm.bin").read_bytes() == Path("b.grm.bin").read_bytes()
    assert vech.read("a.grm.bin").n == 7


def test_ld_stores_keep_what_they_say_of_variants(works, fails, there):
    pytest.importorskip("numcodecs")
    with zipfile.ZipFile(DATA / "magenpy.zip") as archive:
        archive.extractall(there, [name for name in archive.namelist() if name.startswith("int8/")])
    works("convert", "int8", "-o", "r.ld.zarr", "--threshold", 0.3, "--window", 2, "--variants", "int8")
    found, given = vech.read("r.ld.zarr").expand(), vech.read("int8").expand()
    near = abs(np.subtract.outer(range(9), range(9))) <= 2
    assert np.array_equal(found, np.where(near & (abs(given) >= 0.3), given, 0))
    assert vech.io.read_variants("r.ld.zarr").about == vech.io.read_variants("int8").about
    works("convert", "int8", "-o", "r.ld.zarr", "--force", "--out-encoding", "int16")
    assert list(vech.io.read_variants("r.ld.zarr").columns) == ["snps"]
    wrong = fails("convert", "int8", "-o", "s.ld.zarr", "--out-encoding", "int4")
    assert "unknown encoding 'int4': did you mean 'int8'" in wrong
    assert "written without --out-encoding" in fails(
        "convert", "int8", "-o", "s.npz", "--out-encoding", "int8"
    )
