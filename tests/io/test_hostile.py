"""Archives and headers that claim what is not there: refused before memory is taken for it."""

import gzip
import io
import os
import re
import signal
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
import scipy.sparse

import vech
from vech import cli
from vech.io import FileFormatError
from vech.io.arrays import read_header

DESCRIBED = '{"vech": 1, "layout": "vech", "kind": "symmetric", "n": 3, "dtype": "<f8"}'
HALF = np.arange(6.0)


def saved(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header(shape, descr="<f8"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.fixture
def archive(tmp_path):
    def write(*members, method=zipfile.ZIP_DEFLATED, **arrays):
        path = tmp_path / "a.npz"
        with zipfile.ZipFile(path, "w", method) as file:
            for name, content in [*members, *arrays.items()]:
                file.writestr(
                    f"{name}.npy", content if isinstance(content, bytes) else saved(np.asarray(content))
                )
        return path

    return write


def refused(path, message):
    with pytest.raises(FileFormatError, match=re.escape(message)) as caught:
        vech.read(path)
    assert str(caught.value).startswith(str(path)) and str(caught.value).isprintable()


def test_what_is_not_needed_is_not_unpacked(archive, monkeypatch):
    opened = []
    whole = zipfile.ZipFile.open
    monkeypatch.setattr(
        zipfile.ZipFile,
        "open",
        lambda file, member, **more: opened.append(member.filename) or whole(file, member, **more),
    )
    path = archive(
        vech_half=HALF, vech_meta=DESCRIBED, vech_unused=header((1 << 24,), "|u1") + bytes(1 << 24)
    )
    opened.clear()
    np.testing.assert_array_equal(vech.read(path).half, HALF)
    assert set(opened) == {"vech_half.npy", "vech_meta.npy"}


CLAIMS = {
    "more than there is": (header((1 << 20,)) + bytes(80), "says 8,388,736 bytes, and it has 208"),
    "less than there is": (saved(HALF) + b"x", "says 176 bytes, and it has 177"),
    "more than memory": (header((1 << 50,)), "says 9,007,199,254,741,120 bytes, and it has 128"),
    "a bomb": (header((6,)) + bytes(1 << 24), "says 176 bytes, and it has 16,777,344"),
    "an honest bomb": (header((1 << 21,)) + bytes(1 << 24), "describes 6 numbers at most, and has 2,097,152"),
    "no header": (b"\x93NUMPY", "begins with b'\\x93NUMPY', and an array with"),
    "objects": (header((6,), "|O") + bytes(48), "holds pickled Python objects"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_a_member_holds_what_its_header_says(archive, case):
    content, message = CLAIMS[case]
    refused(archive(vech_half=content, vech_meta=DESCRIBED), message)


def test_a_size_that_no_packed_byte_can_hold_is_refused_before_memory_is_taken(archive):
    path = archive(vech_half=HALF, vech_meta=DESCRIBED)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = (1 << 30).to_bytes(4, "little")  # the size in the directory of the archive
    path.write_bytes(data)
    refused(path, "'vech_half.npy' says 1,073,741,824 bytes in ")


def test_members_that_are_there_twice_encrypted_or_packed_otherwise_are_refused(archive):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(("vech_half", HALF), ("vech_meta", DESCRIBED), ("vech_half", HALF + 1))
    refused(path, "it has 'vech_half.npy' twice")
    refused(archive(vech_half=HALF, vech_meta=DESCRIBED, method=zipfile.ZIP_LZMA), "is packed by method 14")
    path = archive(vech_half=HALF, vech_meta=DESCRIBED)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refused(path, "'vech_half.npy' is encrypted")


def test_a_long_text_is_stored_not_deflated(archive, monkeypatch):
    monkeypatch.setattr("vech.io.npz.LONG", 1000)
    long = DESCRIBED.replace("}", " " * 1000 + "}")
    refused(archive(vech_half=HALF, vech_meta=long), "bytes: save texts of more than 1,000 stored")
    assert vech.read(archive(vech_half=HALF, vech_meta=long, method=zipfile.ZIP_STORED)).n == 3
    refused(archive(vech_half=HALF, vech_meta=[DESCRIBED]), "and must be one text")


SPARSE = {"format": "csr", "shape": [3, 3], "data": np.ones(3), "indices": [0, 1, 2], "indptr": [0, 1, 2, 3]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indptr": [0, 19458, 5, -1]}, "indptr falls from 19458 to 5"),
        ({"indptr": [0, 0, 0, 4]}, "indptr runs from 0 to 4, and must run from 0 to at most the 3 stored"),
        ({"indptr": np.zeros(1000, int)}, "indptr has 1,000 numbers, and 4 are needed"),
        ({"indices": [0, 1, 3]}, "indices[2] is 3, and must be 0 to 2"),
        ({"indices": [0, 1]}, "its arrays differ in length: {'data': 3, 'indices': 2}"),
        ({"indices": [0.0, 1, 2]}, "indices must hold integers, not float64"),
        ({"format": "lil"}, "it says the format 'lil': csr, csc, bsr, coo, dia fit"),
        ({"format": "\x1b[31m"}, r"it says the format '\x1b[31m'"),
        ({"shape": [-3, 3]}, "its shape is -3 x 3"),
        ({"shape": np.array([2**64 - 1, 3], np.uint64)}, "its shape is 18446744073709551615 x 3"),
        ({"shape": [3]}, "its shape has dtype int64 and shape (1,): two integers fit"),
        ({"shape": [3.0, 3]}, "its shape has dtype float64 and shape (2,): two integers fit"),
        (
            {"format": "bsr", "data": np.ones((3, 1, 1)), "indptr": [0, 10**8, 5, 0]},
            "indptr falls from 100000000",
        ),
        ({"format": "coo", "row": [0, 1, 2], "col": [0, 1, -1]}, "entry 2 is at (2, -1)"),
        ({"format": "coo", "row": [0, 1, 2], "col": [0]}, "its arrays differ in length"),
        ({"format": "dia", "data": np.ones((1, 99)), "offsets": [0]}, "its diagonals have 99 numbers each"),
        ({"data": np.ones(3, np.float16)}, "SciPy's sparse arrays do not compute with float16"),
    ],
)
def test_a_matrix_of_scipy_is_judged_before_scipy_makes_it(archive, change, message):
    refused(archive(**SPARSE | change), message)


@pytest.mark.parametrize(
    "content",
    [
        {"format": "dia", "shape": [2**31 - 1] * 2, "data": np.ones((1, 3)), "offsets": [0]},
        {"format": "coo", "shape": [2**32 - 1] * 2, "data": np.ones(3), "row": [0, 1, 2], "col": [0, 1, 2]},
        {
            "format": "bsr",
            "shape": [2**30] * 2,
            "data": np.ones((0, 2**29, 2**29)),
            "indices": [],
            "indptr": [0] * 3,
        },
    ],
    ids=["dia", "coo", "bsr"],
)
def test_empty_rows_of_a_matrix_of_scipy_take_no_memory(archive, content):
    content |= {"indices": np.zeros(0, np.int32)} if "indices" in content else {}
    S = vech.read(archive(**content))
    assert (S.n, S.nnz) == (content["shape"][0], content["data"].size)
    assert S.nbytes < 1000


def test_unsigned_indices_are_taken(archive):
    content = {
        key: np.asarray(value, np.uint32) if key[:3] == "ind" else value for key, value in SPARSE.items()
    }
    np.testing.assert_array_equal(vech.read(archive(**content)).expand(), np.eye(3))


# ---- headers -----------------------------------------------------------------------------------------------


def head(text, version=1):
    text = text.encode("latin-1")
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 * version, "little") + text


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f8', 'fortran_order': True, 'shape': (3, 4), }   \n",
        "{'shape':(3,4),'fortran_order':True,'descr':'<f8'}",
        '{"descr": "float64", "fortran_order": True, "shape": (3L, 4L,)}',
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_header_of_any_writer_is_read(text, version):
    file = io.BytesIO(head(text, version) + b"numbers")
    found = read_header(file)
    assert (found.shape, found.fortran, found.dtype) == ((3, 4), True, np.dtype("<f8"))
    assert file.read() == b"numbers" and found.end == found.begin + 96


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (3,(3,), }", "and not like {'descr'"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 3)", "and not like"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 3), 'shape': (1,)}", "and not like"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 3), 'more': (1,)}", "and not like"),
        ("{'descr': '<f8', 'fortran_order': 0, 'shape': (3, 3), }", "and not like"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (3 3), }", "and not like"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-3,), }", "and not like"),
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1" + "0" * 40 + ",), }",
            "more numbers than an array",
        ),
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 1" + "0" * 40 + "), }",
            "more numbers than an array",
        ),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1," * 65 + "), }", "65 sides"),
        ("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,), }", "it holds a structured array"),
        ("{'descr': '(9999999,)f8', 'fortran_order': False, 'shape': (3,), }", "is no dtype"),
        ("{'descr': 'f8,' , 'fortran_order': False, 'shape': (3,), }", "is no dtype"),
        ("{'descr': '<M8[7X]', 'fortran_order': False, 'shape': (3,), }", "is no dtype"),
        ("{'descr': __import__('os'), 'fortran_order': False, 'shape': (3,), }", "and not like"),
        ("{" * 9000, "and not like"),
        (" " * 10_001, "its header has 10,001 bytes, and 10,000 at most fit"),
    ],
)
def test_a_header_that_is_none_is_refused_at_once(text, message):
    with pytest.raises(ValueError, match=re.escape(message).replace(r"\{'descr'", ".{'descr'")):
        read_header(io.BytesIO(head(text)))


def test_the_numbers_of_unusual_dtypes_are_read(tmp_path):
    for descr in ("|b1", "<i2", ">u8", "<f2", ">c16", "<M8[25s]", "<m8[ns]"):
        array = np.zeros(3, descr)
        np.save(tmp_path / "a.npy", array)
        assert vech.io.load(tmp_path / "a.npy").dtype == array.dtype


# ---- files that get shorter --------------------------------------------------------------------------------

CUT = """
import copy, os, pickle, sys
import numpy as np
import vech
from vech.io import info
from vech.io.content import Content

n = 4096
path = sys.argv[1]
vech.write(path, vech.Packed(np.zeros(n * (n + 1) // 2)))
S = vech.read(path)
half = S.half
assert isinstance(half, np.memmap)
twin = copy.copy(S)
os.truncate(path, 4096)
uses = {
    "expand": S.expand, "product": lambda: S @ np.ones(n), "entry": lambda: S[7, 5], "sum": S.sum,
    "arithmetic": lambda: S * 2, "to_csr": S.to_csr, "write": lambda: vech.io.expand(path + ".npy", S),
    "norm": lambda: vech.linalg.norm(S), "move": lambda: vech.convert(half, "vech", "numpy-tril"),
    "info": lambda: info.summarize(Content.of_array(half)), "copy": S.copy, "copy.copy": lambda: copy.copy(S),
    "twin": lambda: twin.sum(), "deepcopy": lambda: copy.deepcopy(S), "pickle": lambda: pickle.dumps(S),
}
for name, use in uses.items():
    try:
        use()
    except OSError as error:
        assert "has 4,096 bytes now where 67,125,376 were: read it again" in str(error), (name, error)
        assert error.filename == path
    else:
        raise AssertionError(name)
"""


@pytest.mark.slow
def test_a_file_that_was_cut_while_it_is_mapped_is_an_error_not_the_end_of_the_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CUT, str(tmp_path / "half.npy")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_coordinates_are_not_mapped(tmp_path, monkeypatch):
    class Refused:
        def __init__(self, *_, **__):
            raise AssertionError("it was mapped")

    monkeypatch.setattr("mmap.mmap", Refused)
    path = tmp_path / "a.mtx"
    vech.write(path, vech.SparseHalf.from_sparse(scipy.sparse.eye_array(5).tocsr()))
    assert vech.read(path).nnz == 5


@pytest.fixture
def impatient():
    """Whoever waits for a pipe that nobody writes to is interrupted."""

    def waited(*_):
        raise TimeoutError("waits for a pipe")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


NO_FILE = "is no ordinary file, but a pipe or a device: copy what it gives into a file"


@pytest.mark.parametrize("device", [None, "/dev/zero"])
def test_a_description_or_names_that_are_a_pipe_or_a_device_are_refused(tmp_path, impatient, device):
    make = os.mkfifo if device is None else lambda path: path.symlink_to(device)
    half, named = tmp_path / "a.npy", tmp_path / "a.grm.bin"
    np.save(half, HALF)
    make(tmp_path / "a.npy.json")
    named.write_bytes(bytes(24))
    make(tmp_path / "a.grm.id")
    store = vech.Packed(HALF.astype("f4"), labels=list("abc"))
    for path, written in [(half, vech.Packed(HALF)), (named, store)]:
        for use in (lambda path=path: vech.read(path), lambda path=path, S=written: vech.write(path, S)):
            with pytest.raises(FileFormatError, match=rf"a\.(npy\.json|grm\.id): {NO_FILE}"):
                use()
    assert np.array_equal(np.load(half), HALF)
    assert named.read_bytes() == bytes(24)


@pytest.mark.parametrize("name", [f"a{suffix}" for suffix in vech.io.FORMATS])
def test_a_pipe_is_refused_where_a_file_is_not_read_once_from_its_beginning(tmp_path, impatient, name):
    path = tmp_path / name
    os.mkfifo(path)
    if vech.io.file_format(path).CAN.pipes:
        pytest.skip("reads pipes")
    with pytest.raises(FileFormatError, match=f"{name}: {NO_FILE}"):
        vech.read(path)


@pytest.mark.parametrize("name", ["a.npy", "a.parquet", "a.feather", "a.xlsx", "a.ods"])
def test_a_table_that_is_a_pipe_is_refused(tmp_path, impatient, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(FileFormatError, match=f"{name}: {NO_FILE}"):
        vech.io.read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.phy", b"2\na 0 7\nb 7 0\n"),
        ("a.grm.gz", gzip.compress(b"1 1 9 0\n2 1 9 7\n2 2 9 0\n", mtime=0)),
    ],
)
def test_pipes_are_read_where_once_is_enough(tmp_path, impatient, name, text):
    path = tmp_path / name
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(text,))
    writer.start()
    assert vech.read(path).expand().tolist() == [[0, 7], [7, 0]]
    writer.join()


def test_a_table_of_text_may_be_a_pipe(tmp_path, impatient):
    path = tmp_path / "a.csv"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"a,b\n1,2\n3,4\n",))
    writer.start()
    assert vech.io.read_table(path).numbers.tolist() == [[1, 2], [3, 4]]
    writer.join()
    writer = threading.Thread(target=path.write_bytes, args=(b"a,b\n1,2\n3,6\n",))
    writer.start()
    with pytest.raises(SystemExit) as caught:
        cli.main(["covariance", str(path), "-o", str(tmp_path / "a.npy")])
    assert caught.value.code == 0
    assert vech.read(tmp_path / "a.npy").half.tolist() == [2, 4, 8]
    writer.join()
