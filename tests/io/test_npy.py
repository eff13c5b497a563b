"""`.npy`: what we wrote, what np.save wrote, and every way in which a file can be wrong."""

import json
import os
import re

import numpy as np
import pytest

import cases
import reference
import vech
from compare import assert_same_bits
from vech.io import FileFormatError, arrays

N = 5
HALVES = cases.pairwise(
    lambda layout, dtype, kind: cases.fits(layout, dtype, kind, N),
    layout=cases.LAYOUTS,
    dtype=cases.DTYPES,
    kind=cases.STORE_KINDS,
    apart=("layout", "dtype"),  # numbers go in one part of a file, what they mean in another
)


def fails(message):
    return pytest.raises(FileFormatError, match=re.escape(message))


@pytest.fixture
def half(tmp_path):
    return tmp_path / "half.npy"


def save(path, array, **description):
    np.save(path, array)
    if description:
        described = {"vech": 1, "layout": "vech", "kind": "symmetric", "n": N, "dtype": "<f8"} | description
        path.with_name(path.name + ".json").write_text(json.dumps(described))


@cases.each(("layout", "dtype", "kind"), HALVES)
def test_a_half_that_we_wrote_reads_back_the_same(half, layout, dtype, kind):
    numbers = cases.half(dtype, layout, kind, N)
    written = vech.Packed(numbers, layout, kind=kind)
    vech.write(half, written)
    got = vech.read(half)
    assert isinstance(got, vech.Packed)
    assert (got.layout, got.kind, got.n, got.labels) == (layout, written.kind, N, None)
    assert_same_bits(np.asarray(got.half), numbers)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_the_smallest_matrices_read_back(half, n):
    vech.write(half, vech.Packed(np.arange(n * (n + 1) / 2)))
    assert vech.read(half).n == n


def test_the_description_says_everything_about_a_half(half):
    vech.write(half, vech.Packed(np.arange(6, dtype=">f4"), "numpy-tril", labels=["a", "b", "c"]))
    assert json.loads((half.parent / "half.npy.json").read_text()) == {
        "vech": 1,
        "layout": "numpy-tril",
        "kind": "symmetric",
        "n": 3,
        "dtype": ">f4",
        "labels": ["a", "b", "c"],
        "digest": {"tile": 1048576, "xxh64": "0e963d6db08e0d22"},
    }
    assert tuple(vech.read(half).labels) == ("a", "b", "c")


def test_a_layout_without_a_name_is_described_by_its_fields(half):
    layout = vech.Layout("upper", "rows", diagonal="one", offdiagonal_scale=0.1)
    vech.write(half, vech.Packed(np.arange(6.0), layout))
    assert json.loads((half.parent / "half.npy.json").read_text())["layout"] == {
        "triangle": "upper",
        "traversal": "rows",
        "diagonal": "one",
        "diagonal_scale": 1.0,
        "offdiagonal_scale": 0.1,
    }
    assert vech.read(half).layout == layout


def test_the_description_is_renamed_into_place_first(half, monkeypatch):
    renamed = []
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (renamed.append(os.path.basename(b)), real(a, b)))
    vech.write(half, vech.Packed(np.arange(6.0)))
    assert renamed == ["half.npy.json", "half.npy"]


def test_numpy_reads_what_we_wrote(half):
    numbers = cases.half("f8", vech.as_layout("vech"), "symmetric", N)
    vech.write(half, vech.Packed(numbers))
    assert_same_bits(np.load(half), numbers)


@pytest.mark.parametrize("layout", cases.NAMES)
def test_a_half_of_np_save_is_read_in_the_layout_that_is_said(half, layout):
    numbers = cases.moderate("f8", 10)
    np.save(half, numbers)
    got = vech.read(half, layout=layout)
    assert got.layout == vech.as_layout(layout)
    assert_same_bits(np.asarray(got.half), numbers)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["i4", ">f8", "f2", "?", "M8[s]"])
@pytest.mark.parametrize("layout", [None, "numpy-tril", vech.Layout("upper", "columns")])
def test_a_full_matrix_of_np_save_is_packed(half, dtype, order, layout):
    into = vech.as_layout("vech" if layout is None else layout)
    full = cases.matrix(dtype, "symmetric", N)
    np.save(half, np.asarray(full, order=order))
    got = vech.read(half, layout=layout)
    assert got.layout == into
    assert_same_bits(np.asarray(got.half), reference.pack(full, into))


def test_a_hermitian_full_matrix_needs_its_kind(half):
    full = cases.matrix("c16", "hermitian", N)
    np.save(half, full)
    assert_same_bits(
        vech.read(half, kind="hermitian").half, reference.pack(full, vech.as_layout("vech"), "hermitian")
    )
    with pytest.raises(ValueError, match="kind='hermitian'"):
        vech.read(half)


def test_version_2_of_the_header_is_read(half):
    with half.open("wb") as file:
        np.lib.format.write_array(file, np.eye(3), version=(2, 0))
    assert vech.read(half).n == 3


def test_large_content_is_mapped_read_only(half, monkeypatch):
    monkeypatch.setattr(arrays, "MAP_FROM", 40)
    numbers = np.arange(10.0)
    vech.write(half, vech.Packed(numbers))
    got = vech.read(half).half
    assert not got.flags.writeable
    assert isinstance(got, np.memmap) or isinstance(got.base, np.memmap)
    assert_same_bits(np.array(got), numbers)


def test_small_content_is_read_and_can_be_changed(half):
    vech.write(half, vech.Packed(np.arange(10.0)))
    vech.read(half).half[0] = 7


@pytest.mark.skipif(not cases.SMALL, reason="ml_dtypes is not installed")
@pytest.mark.parametrize("dtype", [dtype for dtype in cases.SMALL.values() if dtype.kind == "V"], ids=str)
def test_a_dtype_that_np_save_forgets_comes_from_the_caller(half, dtype):
    numbers = cases.raw(dtype, 10)
    np.save(half, numbers)
    assert_same_bits(np.asarray(vech.read(half, layout="vech", dtype=dtype).half), numbers)
    assert_same_bits(np.asarray(vech.read(half, layout="vech", dtype=dtype.name).half), numbers)
    with fails(f"holds numbers of {dtype.itemsize} bytes whose dtype np.save forgot: say dtype='bfloat16'"):
        vech.read(half, layout="vech")


@pytest.mark.skipif(not cases.SMALL, reason="ml_dtypes is not installed")
@pytest.mark.parametrize("dtype", cases.SMALL.values(), ids=str)
def test_numpy_can_load_numbers_of_ml_dtypes_that_we_wrote(half, dtype):
    numbers = cases.raw(dtype, 10)
    vech.write(half, vech.Packed(numbers))
    assert_same_bits(np.load(half).view(dtype), numbers)


# ---- what is refused ---------------------------------------------------------------------------------------


def test_a_bare_half_lists_what_it_could_be(half):
    np.save(half, np.arange(10))
    with fails(
        f"{half}: holds 10 numbers and does not say which. It could be n=4: vech, lapack-upper, numpy-tril, "
        "numpy-triu; n=5: condensed, strict-tril, strict-triu. Say layout= (--layout); "
        "vech identify may tell"
    ):
        vech.read(half)


def test_a_bare_half_of_floats_could_be_scaled(half):
    np.save(half, np.arange(10.0))
    with fails("numpy-triu, svec-lower, svec-upper, pyriemann-upper, nilearn-sym-vec; n=5: condensed"):
        vech.read(half)


@pytest.mark.parametrize("layout", [None, "vech"])
def test_a_length_that_is_no_half_names_the_nearest(half, layout):
    np.save(half, np.arange(11.0))
    with fails("10 for n=4 or 15 for n=5"):
        vech.read(half, layout=layout)


@pytest.mark.parametrize("shape", [(), (2, 3), (2, 3, 3)])
def test_a_shape_that_is_no_matrix(half, shape):
    np.save(half, np.zeros(shape))
    with fails(
        f"{half}: has shape {shape}: one square matrix (n, n) or one half (length,) fits; "
        + ("data, rows by columns, are for" if len(shape) == 2 else "for batches")
    ):
        vech.read(half)


def test_a_full_matrix_that_is_not_symmetric(half):
    np.save(half, np.array([[1.0, 2.0], [3.0, 4.0]]))
    with pytest.raises(FileFormatError, match=re.escape(str(half))) as caught:
        vech.read(half)
    assert "2.0" in str(caught.value) and "3.0" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layout": "numpy-tril"}, "has layout vech, and layout=numpy-tril was asked for"),
        ({"kind": "skew"}, "has kind symmetric, and kind=skew was asked for"),
        ({"n": 4}, "has n 3, and n=4 was asked for"),
        ({"dtype": "f4"}, "has dtype <f8, and dtype=<f4 was asked for"),
        ({"dtype": ">f8"}, "has dtype <f8, and dtype=>f8 was asked for"),
    ],
)
def test_arguments_that_the_description_contradicts(half, arguments, message):
    vech.write(half, vech.Packed(np.arange(6.0)))
    with fails(f"{half}: {message}"):
        vech.read(half, **arguments)


def test_arguments_that_agree_are_welcome(half):
    vech.write(half, vech.Packed(np.arange(6.0)))
    vech.read(half, layout="lapack-lower", kind="hermitian", n=3, dtype="float64")


@pytest.mark.parametrize(
    ("arguments", "message"), [({"n": 4}, "has n 3"), ({"dtype": "f4"}, "has dtype <f8")]
)
def test_arguments_that_a_full_matrix_contradicts(half, arguments, message):
    np.save(half, np.eye(3))
    with fails(message):
        vech.read(half, **arguments)


def test_an_n_that_a_bare_half_contradicts(half):
    np.save(half, np.arange(6.0))
    with fails(
        "holds 6 numbers, and n=4 needs 10 in layout vech (80 bytes); "
        "6 numbers are n=4 without the diagonal, as in layout 'condensed'"
    ):
        vech.read(half, layout="vech", n=4)


FIELDS = {
    "triangle": "lower",
    "traversal": "columns",
    "diagonal": "stored",
    "diagonal_scale": 1.0,
    "offdiagonal_scale": 1.0,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vech": 2}, 'has "vech": 2, and this version of vech reads 1'),
        ({"vech": None}, 'has "vech": None'),
        ({"layout": "vecsh"}, "describes no half: unknown layout 'vecsh'"),
        ({"layout": FIELDS | {"triangle": "left"}}, "describes no half: unknown triangle 'left'"),
        (
            {"layout": {"triangle": "lower", "traversal": "columns", "diagonal": "stored"}},
            "describes no half: its layout lacks diagonal_scale, offdiagonal_scale",
        ),
        (
            {"layout": {}},
            "describes no half: its layout lacks triangle, traversal, diagonal, diagonal_scale,",
        ),
        (
            {"layout": FIELDS | {"order": "C"}},
            "describes no half: its layout has 'order', which is none of triangle, traversal, diagonal,",
        ),
        (
            {"Labels": list("abcde")},
            "has 'Labels', which is none of vech, layout, kind, n, dtype, labels, digest, made: leave it out",
        ),
        ({"layout": 3}, "describes no half"),
        ({"layout": ["vech"]}, "describes no half"),
        ({"kind": "odd"}, "describes no half"),
        ({"kind": ["odd"]}, "has the kind ['odd'], and a kind is a name"),
        ({"n": 4}, "says n=4, so an array of shape (10,), and the array has shape (15,)"),
        ({"n": -1}, "describes no half"),
        ({"n": 2.5}, "describes no half"),
        ({"dtype": "<f4"}, "says dtype <f4, and the array has <f8"),
        ({"dtype": "real"}, "describes no half: dtype='real' is no dtype"),
        ({"dtype": None}, "describes no half: dtype=None is no dtype"),
        ({"labels": ["a"]}, "describes no half"),
    ],
)
def test_a_description_that_is_wrong(half, change, message):
    save(half, np.arange(15.0), **change)
    with fails(f"{half}.json: {message}"):
        vech.read(half)


@pytest.mark.parametrize("twice", ['"n": 5, "n": 4', '"n": 5, "labels": [{"n": 1, "n": 1}]'])
def test_a_key_that_a_description_has_twice(half, twice):
    np.save(half, np.arange(15.0))
    text = f'{{"vech": 1, "layout": "vech", "kind": "symmetric", {twice}, "dtype": "<f8"}}'
    half.with_name("half.npy.json").write_text(text)
    with fails(f"{half}.json: is no description: says 'n' twice: leave one out"):
        vech.read(half)


def test_a_description_of_a_half_beside_a_full_matrix(half):
    save(half, np.eye(5), n=5)
    with fails(f"{half}.json: says n=5, so an array of shape (15,), and the array has shape (5, 5)"):
        vech.read(half)


def test_a_description_that_lacks_something(half):
    np.save(half, np.arange(6.0))
    half.with_name("half.npy.json").write_text('{"vech": 1, "kind": "symmetric"}')
    with fails("lacks layout, n, dtype"):
        vech.read(half)


@pytest.mark.parametrize("text", ["[1]", "3", "null", '"vech"'])
def test_a_description_that_is_no_object(half, text):
    np.save(half, np.arange(6.0))
    half.with_name("half.npy.json").write_text(text)
    with fails("and this version of vech reads 1"):
        vech.read(half)


def test_a_description_that_is_no_json_names_the_line(half):
    np.save(half, np.arange(6.0))
    half.with_name("half.npy.json").write_text('{\n"vech": 1,,\n}')
    with fails("half.npy.json, line 2: is not JSON") as caught:
        vech.read(half)
    assert caught.value.line == 2


def test_a_description_that_is_no_text_names_the_byte(half):
    np.save(half, np.arange(6.0))
    half.with_name("half.npy.json").write_bytes(b'{"\xff')
    with fails("half.npy.json, byte 2: is not JSON in UTF-8"):
        vech.read(half)


def test_objects_are_not_unpickled(half):
    np.save(half, np.array([print, 1]), allow_pickle=True)
    with fails("holds pickled Python objects, which vech does not load: they could run anything"):
        vech.read(half, layout="vech")


@pytest.mark.parametrize("dtype", ["U3", "S3", "g", "G", "V3", "i4,f4"])
def test_a_dtype_that_is_no_number(half, dtype):
    np.save(half, np.zeros(6, dtype))
    with fails("holds"):
        vech.read(half, layout="vech")


@pytest.mark.parametrize("cut", [1, 8, 40])
def test_a_truncated_file_names_its_end(half, cut):
    np.save(half, np.arange(6.0))
    half.write_bytes(half.read_bytes()[:-cut])
    with fails(
        f"{half}, byte {176 - cut}: ends at byte {176 - cut}, and its header (dtype float64, shape (6,))"
    ):
        vech.read(half, layout="vech")


def test_a_file_that_is_too_long_names_the_byte(half):
    np.save(half, np.arange(6.0))
    with half.open("ab") as file:
        file.write(b"x")
    with fails(f"{half}, byte 176: ends at byte 177, and its header (dtype float64, shape (6,)) says 176"):
        vech.read(half, layout="vech")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUM",
        b"PK\x03\x04",
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"\x93NUMPY\x03\x00",
        b"\x93NUMPY\x01\x00\x02\x00{}",
    ],
)
def test_a_file_that_is_no_npy(half, content):
    half.write_bytes(content)
    with fails("is no .npy file"):
        vech.read(half, layout="vech")


@pytest.mark.parametrize("shape", ["(-1,)", "(6, -2)", "(99999999999999999999,)", "(1.5,)", "6", "None"])
def test_a_header_with_an_impossible_shape(half, shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    half.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(FileFormatError):
        vech.read(half, layout="vech")


def test_a_damaged_header_is_never_another_error(half):
    np.save(half, np.arange(6.0))
    sound = half.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(sound)
        for at in rng.integers(0, 128, 2):
            damaged[at] = rng.integers(0, 256)
        half.write_bytes(damaged)
        try:
            vech.read(half, layout="vech")
        except FileFormatError as error:
            assert error.path == str(half)


def test_a_sparse_half_does_not_fit(half):
    store = vech.SparseHalf([0, 1, 2], [0, 1], [1.0, 2.0], 2, triangle="lower")
    with pytest.raises(
        TypeError, match=r"half.npy: .npy holds a dense half, and this is a SparseHalf: write .npz or"
    ):
        vech.write(half, store)
    assert not list(half.parent.iterdir())


def test_labels_that_no_file_keeps(half):
    store = vech.Packed(np.arange(3.0), labels=[1, 2j])
    with pytest.raises(
        TypeError, match=r"a label is complex 2j, and files keep text, numbers, .*: use str\(label\)"
    ):
        vech.write(half, store)
    assert not list(half.parent.iterdir())


@pytest.mark.parametrize("sign", [1, -1])
def test_integer_labels_are_those_that_read_back(half, sign):
    longest = sign * (10**4300 - 1)
    vech.write(half, vech.Packed(np.arange(3.0), labels=[0, longest]))
    assert vech.read(half).labels == (0, longest)
    half.unlink()
    store = vech.Packed(np.arange(3.0), labels=[0, sign * 10**4300])
    with pytest.raises(
        ValueError, match=r"a label is an integer of more than 4300 digits, .*: use hex\(label\)"
    ):
        vech.write(half, store)
    assert not half.exists()


def test_a_link_leads_to_the_description_of_its_file(half, tmp_path):
    vech.write(half, vech.Packed(np.arange(6.0)))
    link = tmp_path / "link.npy"
    link.symlink_to("half.npy")
    vech.write(link, vech.Packed(np.arange(6.0), "numpy-tril"))
    for path in (half, link):
        assert vech.read(path).layout == vech.as_layout("numpy-tril")
    assert sorted(os.listdir(tmp_path)) == ["half.npy", "half.npy.json", "link.npy"]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"vech": ' + "9" * 5000 + "}"])
def test_a_description_that_json_cannot_take(half, text):
    np.save(half, np.arange(6.0))
    half.with_name("half.npy.json").write_text(text)
    with fails("half.npy.json: is no description"):
        vech.read(half)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("kind", None, "has the kind None, and a kind is a name"),
        ("vech", True, 'has "vech": True, and this version of vech reads 1'),
        ("vech", 1.0, 'has "vech": 1.0, and this version of vech reads 1'),
        ("labels", "abc", "has labels that are no list"),
        ("labels", [[1], 2, 3], "has a label [1] that is none of text, numbers, bool, None, dates, times, "),
    ],
)
def test_a_description_says_what_its_schema_allows(half, key, value, words):
    vech.write(half, vech.Packed(np.arange(6.0)))
    beside = half.with_name(half.name + ".json")
    beside.write_text(json.dumps(json.loads(beside.read_text()) | {key: value}))
    with fails(words):
        vech.read(half)


@pytest.mark.parametrize("length", [237, 250])
def test_a_name_may_be_as_long_as_that_of_its_description(tmp_path, length):
    path = tmp_path / ("a" * (length - 4) + ".npy")
    for _ in range(2):
        vech.write(path, vech.Packed(np.arange(6.0), "numpy-tril"))
        assert vech.read(path).layout.name == "numpy-tril"
    assert sorted(os.listdir(tmp_path)) == [path.name, path.name + ".json"]
    vech.io.expand(path, vech.Packed(np.arange(6.0)))
    assert os.listdir(tmp_path) == [path.name]


def test_a_full_matrix_may_have_the_longest_name(tmp_path):
    path = tmp_path / ("a" * 251 + ".npy")
    vech.io.expand(path, vech.Packed(np.arange(6.0)))
    assert np.array_equal(vech.read(path).half, np.arange(6.0))
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (b"\3\0", "is of version 3.0, which is for structured arrays: 1.0 and 2.0 fit"),
        (b"\x09\0", "is of version 9.0, which NumPy has not: 1.0 and 2.0 fit"),
    ],
)
def test_other_versions_of_the_format_are_told_apart(tmp_path, version, said):
    path = tmp_path / "a.npy"
    np.save(path, np.eye(2))
    path.write_bytes(path.read_bytes().replace(b"\x93NUMPY\1\0", b"\x93NUMPY" + version))
    with fails(said):
        vech.read(path)


def test_integers_of_thousands_of_digits_are_refused_in_our_words(tmp_path):
    path = tmp_path / "a.npy"
    for count in (20, 4300, 6000):
        text = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s, 3), }\n" % ("9" * count)
        path.write_bytes(b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text.encode())
        with fails("its shape has 2 sides and more numbers than an array can hold"):
            vech.read(path)
    vech.write(path, vech.Packed(np.arange(3.0)))
    beside = path.with_name(path.name + ".json")
    beside.write_text(beside.read_text().replace('"n": 2', f'"n": {"9" * 6000}'))
    with fails("is no description: has an integer of 6,000 digits, and 4,300 at most fit"):
        vech.read(path)
