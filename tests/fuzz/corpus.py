"""Small valid files of every format that vech reads: what is changed."""

import gzip
import io
import zipfile
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import scipy.io
import scipy.sparse

import vech

DATA = Path(__file__).parent.parent / "io" / "data"
FULL = np.array([[4.0, 1, 0, 2], [1, 3, -2, 0], [0, -2, 5, 0.5], [2, 0, 0.5, 6]])
CELLS = "date,a,b\n2020-01,1,2.5\n2020-02,,-3e2\n\n2020-03,7,nan\n2020-04,2,1\n"


HAIL_PART = "part-0-3-0-0-a821b3e1-9b1b-e344-50d6-5e36286c3a33"


class Sample(NamedTuple):
    """The name of a file, its bytes, and those of its description, if it has one."""

    name: str
    data: bytes
    beside: bytes | None = None


def corpus() -> list[Sample]:
    """Make one of each kind."""
    with TemporaryDirectory() as folder:
        return [
            *_stores(Path(folder)),
            *_arrays(),
            *_sparse(Path(folder)),
            *_texts(Path(folder)),
            *_parquet(),
            *_programs(),
            *_libraries(Path(folder)),
            *_cooler(),
            *_hail(),
            *_magenpy(),
        ]


def _stores(folder: Path) -> list[Sample]:
    """What vech writes."""
    half = vech.pack(FULL)
    lower = vech.SparseHalf.from_sparse(scipy.sparse.csr_array(FULL), labels=["a", "b", 3, None])
    far = vech.SparseHalf.from_coo([2_999_999_999, 7], [5, 2], [1.5, 2], 3_000_000_000, use="lower")
    stores = {
        "real": vech.Packed(half, labels=["w", "x", "y", "z"]),
        "complex": vech.Packed(half * 1j, "numpy-tril", kind="hermitian"),
        "scaled": vech.Packed(half, vech.Layout("upper", "rows", offdiagonal_scale=2.0)),
        "skew": vech.Packed(np.arange(6, dtype="i4"), "condensed", kind="skew"),
        "dates": vech.Packed(half.astype("i8").view("M8[s]")),
        "lower": lower,
        "far": far,
        "quantized": vech.quantize(FULL, "int4x2", scales="two-sided"),
    }
    samples = []
    for name, store in stores.items():
        for suffix in (".npy", ".npz", ".mtx"):
            path = folder / (name + suffix)
            try:
                vech.write(path, store)
            except (TypeError, ValueError):
                continue  # this format has no such store
            beside = path.with_name(path.name + ".json")
            samples.append(
                Sample(path.name, path.read_bytes(), beside.read_bytes() if beside.exists() else None)
            )
    return samples


def _arrays() -> list[Sample]:
    """What np.save writes: bare halves, matrices, tables; and bare numbers."""
    arrays = {
        "bare": vech.pack(FULL),
        "full": FULL,
        "fortran": np.asfortranarray(FULL.astype("f4")),
        "integers": FULL.astype("i8"),
        "table": np.arange(15.0).reshape(5, 3) ** 2,
    }
    samples = [Sample(f"{name}.npy", _saved(np.save, array)) for name, array in arrays.items()]
    return [*samples, Sample("numbers.bin", FULL.tobytes())]


def _sparse(folder: Path) -> list[Sample]:
    """What SciPy writes."""
    samples = []
    for form in ("csr", "csc", "coo", "bsr", "dia"):
        matrix = scipy.sparse.csr_array(FULL).asformat(form)
        path = folder / f"{form}.npz"
        scipy.sparse.save_npz(path, matrix, compressed=form != "csr")
        samples.append(Sample(path.name, path.read_bytes()))
    return samples


def _texts(folder: Path) -> list[Sample]:
    """Matrices and tables as text."""
    samples = [
        Sample("named.csv", CELLS.replace("date,", "\ufeffdate,").encode()),
        Sample("plain.csv", b"1,2,3\n4,5,6.5\n7,8,1e1\n"),
        Sample("index.tsv", b"\ta\tb\n0\t1.5\tNA\n1\t2.25e3\t-7\n"),
        Sample("rows.txt", b'"a" "b"\n"x" 1 2\n"y" 3 NaN\n'),
        Sample("decimal.csv", "\ufeffa;b\n1,5;2\n3;4,25\n".encode("utf-16-le")),
        Sample("packed.csv.gz", gzip.compress(b"a,b\n1,2\n3,4\n" * 3, mtime=0)),
        Sample("quoted.csv", b'"a, b","c"\r\n"1",2\r\n3,"4"\r\n5,7\r\n'),
        Sample("pattern.mtx", b"%%MatrixMarket matrix coordinate pattern symmetric\n% no\n3 3 2\n1 1\n3 2\n"),
    ]
    for field, matrix in (("real", FULL), ("complex", FULL + 0j), ("integer", FULL.astype("i8"))):
        for content in (matrix, scipy.sparse.coo_array(matrix)):
            path = folder / f"{field}-{'array' if content is matrix else 'coordinate'}.mtx"
            scipy.io.mmwrite(path, content, field=field, symmetry="general")
            samples.append(Sample(path.name, path.read_bytes()))
    return samples


def _parquet() -> list[Sample]:
    """A table as pyarrow writes it, where there is pyarrow."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return []
    table = pyarrow.table({"when": ["x", "y", "z"], "a": [1, None, 4], "b": [0.5, 1.5, 3]})
    return [Sample("table.parquet", _saved(lambda file, t: parquet.write_table(t, file), table))]


def _programs() -> list[Sample]:
    """What PLINK, SciPy, PySCF, iodata, R, lavaan and PHYLIP wrote."""
    names = ["plink19.grm.bin", "scipy.rua", "bcsstk02-part.rsa", "pyscf.fcidump", "iodata.fchk"]
    names += ["r-dist-upper.txt", "r-dist-both.txt", "r-write-table.txt", "r-write.csv", "lavaan-wheaton.txt"]
    names += ["plink19-parallel.grm.bin.1"]
    names += [
        "phylip-lower.phy",
        "phylip-square.phy",
        "plink19-text-square0.rel",
        "plink2-text.king",
        "plink19-text.grm.gz",
    ]
    return [Sample(name, (DATA / name).read_bytes()) for name in names]


def _libraries(folder: Path) -> list[Sample]:
    """What goes through h5py, pyarrow and openpyxl, where there are any."""
    samples = []
    named = vech.Packed(vech.pack(FULL), labels=["w", "x", "y", "z"])
    for name in ("named.parquet", "named.feather", "named.xlsx", "named.h5"):
        path = folder / name
        try:
            vech.write(f"{path}::/m" if name == "named.h5" else path, named)
        except ImportError:
            continue
        samples.append(Sample(name, path.read_bytes()))
    return samples


def _cooler() -> list[Sample]:
    """What cooler wrote, where there is h5py."""
    if find_spec("h5py") is None:
        return []
    with zipfile.ZipFile(DATA / "cooler.zip") as archive:
        return [Sample(name, archive.read(name)) for name in ("a.cool", "square.cool")]


def _hail() -> list[Sample]:
    """The only block of a folder that Hail wrote, and what is said of it, where there is numcodecs."""
    if find_spec("numcodecs") is None:
        return []
    with zipfile.ZipFile(DATA / "hail.zip") as archive:
        names = (f"single.bm/parts/{HAIL_PART}", "single.bm/metadata.json")
        return [Sample("single.bm", *map(archive.read, names))]


def _magenpy() -> list[Sample]:
    """An archive that magenpy wrote, where there is numcodecs."""
    if find_spec("numcodecs") is None:
        return []
    with zipfile.ZipFile(DATA / "magenpy.zip") as archive:
        return [Sample("ld.zip", archive.read("chr_22.zip"))]


def _saved(save, content) -> bytes:
    file = io.BytesIO()
    save(file, content)
    return file.getvalue()
