"""What is no matrix for codes, and what are no codes: one clear message each."""

import warnings

import numpy as np
import pytest
from matrices import matrix

import cases
import vech
from compare import assert_same_bits

FULL = matrix("wishart", 70)


def spoilt(i, j, value, dtype=np.float64):
    full = FULL.astype(dtype)
    full[i, j] = full[j, i] = value
    return full


@cases.each("encoding", list(vech.ENCODINGS))
@cases.each("scales", ["tile", "two-sided"])
@cases.each("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named(encoding, scales, value):
    with pytest.raises(ValueError, match=rf"^S\[66, 3\] is {value}: codes are of finite numbers$"):
        vech.quantize(spoilt(66, 3, value), encoding, scales=scales)
    with pytest.raises(ValueError, match=rf"^S\[66, 66\] is {value}: codes are of finite numbers$"):
        vech.quantize(spoilt(66, 66, value), encoding)


@pytest.mark.parametrize("domain", ["cholesky", "log"])
def test_what_is_not_finite_is_named_in_a_domain(domain):
    with pytest.raises(ValueError, match=r"^S\[66, 3\] is nan: codes are of finite numbers$"):
        vech.quantize(spoilt(66, 3, np.nan), domain=domain)


def test_numbers_beyond_an_encoding_or_a_scale():
    with pytest.raises(
        OverflowError, match=r"^S\[66, 3\] is 70000.0, beyond float16, whose largest number is 65504"
    ):
        vech.quantize(spoilt(66, 3, 7e4), "float16")
    with pytest.raises(OverflowError, match=r"^S\[66, 3\] is -1e\+39, beyond bfloat16"):
        vech.quantize(spoilt(66, 3, -1e39), "bfloat16")
    said = r"^S\[66, 3\] is 99.0, beyond the scale given for its tile \(1, 0\), 0.5: give a larger"
    with pytest.raises(OverflowError, match=said):
        vech.quantize(spoilt(66, 3, 99.0), "int8", scales=0.5)
    with pytest.raises(OverflowError, match=r"^S\[66, 3\] is -2.0, beyond the scale given"):
        vech.quantize(spoilt(66, 3, -2.0), "uint8", scales=(1.0, -1.0))
    assert vech.quantize(np.array([[0, 65519.0], [65519, 0]]), "float16").expand()[0, 1] == 65504


def test_integers_that_doubles_do_not_have():
    full = np.array([[1, 2**60 + 1], [2**60 + 1, 1]])
    with pytest.raises(OverflowError, match=r"^S\[1, 0\] is 1152921504606846977, beyond 2\^53"):
        vech.quantize(full)
    assert vech.quantize(np.array([[1, 5], [5, 2]])).dtype == np.float64


@pytest.mark.parametrize(
    ("S", "error", "said"),
    [
        (
            np.eye(3) * 1j,
            TypeError,
            "S is complex, and codes are of real numbers: quantize S.real and S.imag",
        ),
        (
            vech.Packed(np.ones(3) * 1j, kind="hermitian"),
            TypeError,
            "S is complex128, and codes are of real numbers",
        ),
        (np.ones((2, 2), "M8[s]"), TypeError, r"S holds datetime64\[s\], and codes are of numbers: astype"),
        (np.ones((2, 2), object), TypeError, "dtype object holds Python objects: astype"),
        (
            np.ones(6),
            ValueError,
            r"S has shape \(6,\), and a full matrix is square: quantize\(vech.Packed\(half, ",
        ),
        (np.ones((2, 3)), ValueError, r"S has shape \(2, 3\), and a full matrix is square"),
        (
            np.ones((2, 2, 2)),
            ValueError,
            r"S has shape \(2, 2, 2\), and a full matrix is square: one matrix a call$",
        ),
        (np.array([[1.0, 2.0], [3.0, 1.0]]), ValueError, r"matrix is not symmetric: a\[1, 0\] is 3.0"),
        ("matrix", TypeError, "S must be a store or a full matrix, not str: quantize"),
        (
            vech.linalg.to_correlation(np.eye(2)),
            TypeError,
            "S is a Correlation, which has a matrix in it: pass its .R",
        ),
        (np.ma.masked_array(np.eye(2)), TypeError, "a mask would be lost"),
    ],
)
def test_what_is_no_matrix(S, error, said):
    with pytest.raises(error, match=said):
        vech.quantize(S)


@cases.each(
    ("options", "error", "said"),
    [
        ({"encoding": "int9"}, ValueError, "unknown encoding 'int9': did you mean 'int8'"),
        ({"encoding": 8}, TypeError, "encoding is a name .*, not int"),
        ({"tile": 48}, ValueError, "tile is 48, and a tile has 32, 64, 128 or 256 rows"),
        ({"tile": 64.0}, TypeError, "tile must be an integer, not 64.0"),
        ({"scales": "rows"}, ValueError, "unknown scales 'rows': choose from tile, two-sided"),
        ({"scales": None}, TypeError, "scales must be 'tile', 'two-sided', a number or an array, not None"),
        (
            {"scales": [1.0, 2.0]},
            ValueError,
            r"scales has shape \(2,\), and must have \(3,\): n=70 has 3 lower tiles",
        ),
        ({"scales": -1.0}, ValueError, r"scales\[0\] is -1.0, and no scale is negative"),
        ({"scales": np.nan}, ValueError, r"scales\[0\] is nan: scales are finite"),
        ({"scales": 10**400}, ValueError, r"scales\[0\] is 10000.*0: scales are finite"),
        ({"scales": 1j}, TypeError, "scales must hold real numbers, not complex128"),
        (
            {"scales": 1.0, "encoding": "float16"},
            ValueError,
            "float16 holds numbers themselves, and takes no scales",
        ),
        (
            {"scales": 1.0, "encoding": "uint8"},
            ValueError,
            r"uint8 needs the zero beside a scale: scales=\(scales, zeros\)",
        ),
        ({"domain": "root"}, ValueError, "unknown domain 'root'"),
        ({"rounding": "up"}, ValueError, "unknown rounding 'up'"),
        ({"rounding": "stochastic"}, ValueError, "rounding='stochastic' needs seed=, an integer"),
        ({"rounding": "stochastic", "seed": 1.5}, TypeError, "seed must be an integer, not 1.5"),
        ({"rounding": "stochastic", "seed": -1}, ValueError, "seed is -1, and must be 0 to"),
        ({"seed": 1}, ValueError, "seed is for rounding='stochastic'"),
        ({"levels": range(16)}, ValueError, "levels are for 'kmeans-4', and 'int8' has its own"),
        (
            {"levels": np.ones(3), "encoding": "kmeans-4"},
            ValueError,
            r"levels has shape \(3,\), and 4 bits have 16",
        ),
        (
            {"levels": np.linspace(1, -1, 16), "encoding": "kmeans-4"},
            ValueError,
            r"levels\[1\] is .*: levels ascend",
        ),
        (
            {"levels": np.linspace(-2, 2, 16), "encoding": "kmeans-4"},
            ValueError,
            r"the largest \|level\| is 2, and must be 1",
        ),
        (
            {"levels": [np.nan] * 16, "encoding": "kmeans-4"},
            ValueError,
            r"levels\[0\] is nan: levels are finite",
        ),
        ({"clip": 1}, TypeError, "clip must be True or False, not 1"),
        ({"threads": 0}, ValueError, "threads must be at least 1, not 0"),
        ({"progress": 3}, TypeError, "progress must be a function"),
    ],
)
def test_options_that_do_not_fit(options, error, said):
    with pytest.raises(error, match=said):
        vech.quantize(FULL, **options)


def test_no_warning_on_the_way():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for encoding in vech.ENCODINGS:
            for full in (
                np.zeros((3, 3)),
                np.full((3, 3), 1e-300),
                np.full((3, 3), 1e300 if encoding[:5] in ("int8", "int4", "uint8") else 1.0),
            ):
                assert np.isfinite(vech.quantize(full, encoding).expand()).all()


PARTS = vech.quantize(FULL, "uint8", tile=32)


def parts(**changes):
    given = {
        "n": 70,
        "encoding": "uint8",
        "codes": PARTS.codes,
        "diagonal": PARTS.diagonal(),
        "scales": PARTS.scales,
        "zeros": PARTS.zeros,
        "tile": 32,
    } | changes
    return vech.Quantized.from_parts(**given)


def test_parts_that_are_there_already_are_held_as_they_are():
    Q = parts(error=PARTS.error, labels=range(70))
    assert np.shares_memory(Q.codes, PARTS.codes) and Q.labels == tuple(range(70))
    np.testing.assert_array_equal(Q.expand(), PARTS.expand())
    assert Q.error is PARTS.error and parts().error is None
    with pytest.raises(ValueError, match="there is no certificate: these codes came without an error"):
        parts().eigenvalue_interval()


@cases.each(
    ("changes", "error", "said"),
    [
        (
            {"codes": PARTS.codes[:-1]},
            ValueError,
            r"codes has shape \(\d+,\), and must have \(\d+,\): uint8 of n=70",
        ),
        ({"codes": PARTS.codes.view(np.int8)}, TypeError, "codes has dtype int8, and must be uint8"),
        ({"codes": PARTS.codes.reshape(1, -1)}, ValueError, "codes has shape"),
        ({"diagonal": np.ones(69)}, ValueError, r"diagonal has shape \(69,\), and must have \(70,\)"),
        (
            {"diagonal": np.ones(70, np.float16)},
            TypeError,
            "diagonal has dtype float16, and must be float32 or float64",
        ),
        (
            {"diagonal": np.full(70, np.nan)},
            ValueError,
            r"diagonal\[0\] is nan: a quantized half has finite numbers",
        ),
        ({"scales": np.ones(5)}, ValueError, r"scales has shape \(5,\), and must have \(6,\)"),
        ({"scales": np.full(6, np.inf)}, ValueError, r"scales\[0\] is inf: scales are finite"),
        (
            {"scales": np.full(6, 1e300), "diagonal": np.ones(70, "f4")},
            ValueError,
            r"scales\[0\] is 1e\+300, beyond float32",
        ),
        ({"zeros": None}, ValueError, "uint8 needs zeros=, what code 0 of each tile is"),
        ({"encoding": "int8"}, ValueError, "zeros are for 'uint8': int8 has none"),
        ({"encoding": "kmeans-4"}, ValueError, "'kmeans-4' has no levels of its own: pass levels="),
        ({"sides": np.ones(3)}, ValueError, r"sides has shape \(3,\), and must have \(70,\): n is 70"),
        ({"n": -1}, ValueError, "n = -1 is out of range"),
        ({"kind": "hermitian-ish"}, ValueError, "unknown kind"),
        ({"kind": "skew", "domain": "log"}, TypeError, "domain='log' is of positive definite matrices"),
        ({"labels": ["a"]}, ValueError, "there are 1 labels for 70 rows"),
        ({"error": 0.5}, TypeError, "error must be a QuantizationError, not float"),
        (
            {"error": vech.quantize(np.eye(3)).error},
            ValueError,
            r"error.tiles has shape \(1, 1\), and must have \(3, 3\)",
        ),
    ],
)
def test_parts_that_do_not_fit(changes, error, said):
    with pytest.raises(error, match=said):
        parts(**changes)


def test_codes_that_are_no_numbers():
    Q = vech.quantize(np.eye(3), "int8")
    codes = Q.codes.copy()
    codes[70] = 0x80
    with pytest.raises(ValueError, match="code 70 is -128, and int8 has -127 to 127"):
        vech.Quantized.from_parts(3, "int8", codes, Q.diagonal(), Q.scales)
    Q = vech.quantize(np.eye(3), "float16")
    codes = Q.codes.copy()
    codes[4:6] = 0, 0x7C
    with pytest.raises(ValueError, match="code 2 is 0x7c00, no finite number"):
        vech.Quantized.from_parts(3, "float16", codes, Q.diagonal(), Q.scales)
    with pytest.raises(ValueError, match="float16 holds numbers themselves, so all its scales are the same"):
        vech.Quantized.from_parts(
            70, "float16", np.zeros(7296, np.uint8), np.ones(70), [1.0, 2, 3, 4, 5, 6], tile=32
        )


def test_what_codes_do_not_take():
    Q = vech.quantize(FULL, "int8", tile=32)
    two = vech.quantize(FULL, "int8", tile=32, scales="two-sided")
    with pytest.raises(
        ValueError, match="tiles have scales of their own, so rows in another order are to be quantized"
    ):
        Q.permute(np.arange(70)[::-1])
    with pytest.raises(ValueError, match="row 3 is taken twice, and codes are of pairs of different rows"):
        two.submatrix([3, 3])
    with pytest.raises(ValueError, match="order must hold each of 0 to 69 once"):
        two.permute([0, 1])
    with pytest.raises(IndexError, match="index 70 is out of bounds"):
        two.submatrix([70])
    with pytest.raises(ValueError, match=r"d\[2\] is nan: a quantized matrix has finite numbers"):
        Q.scale(np.where(np.arange(70) == 2, np.nan, 1))
    with pytest.raises(OverflowError, match=r"D S D is beyond float64, where d\[0\] is 1e\+200"):
        Q.scale(np.full(70, 1e200))
    with pytest.raises(ValueError, match=r"values has shape \(3,\), and must be a number or have \(70,\)"):
        Q.with_diagonal(np.ones(3))
    with pytest.raises(ValueError, match=r"values\[0\] is inf: a quantized matrix has finite numbers"):
        Q.with_diagonal(np.inf)
    with pytest.raises(ValueError, match=r"values\[0\] is 1000.*0: a quantized matrix has finite numbers"):
        Q.with_diagonal(10**400)
    narrow, values = vech.quantize(FULL.astype(np.float32)), np.where(np.arange(70) == 2, 1e300, 1)
    with pytest.raises(ValueError, match=r"values\[2\] is 1e\+300, beyond float32: a quantized matrix has"):
        narrow.with_diagonal(values)
    with pytest.raises(IndexError, match="i is 3, and there are 3 tiles a side"):
        Q.read_tile(3, 0)
    with pytest.raises(ValueError, match="precise=False multiplies integers"):
        vech.quantize(FULL, "nf4").matmul(np.ones(70), precise=False)
    with pytest.raises(ValueError, match=r"x has shape \(3,\), but S @ x needs 70 rows"):
        Q.matmul(np.ones(3))
    skew = vech.quantize(vech.Packed(np.zeros(3), kind="skew"))
    with pytest.raises(TypeError, match="shift_to_psd is of symmetric matrices, and S is skew"):
        skew.shift_to_psd()
    with pytest.raises(TypeError, match="does not support item assignment"):
        Q[0, 1] = 3


def test_a_skew_matrix_in_another_order_of_levels_without_negatives():
    full = np.tril(FULL, -1) - np.tril(FULL, -1).T
    S = vech.Packed.from_full(full, kind="skew")
    order = np.arange(70)[::-1]
    Q = vech.quantize(S, "int8", scales="two-sided")
    np.testing.assert_allclose(Q.permute(order).expand(), Q.expand()[::-1, ::-1], rtol=1e-15)
    with pytest.raises(
        TypeError, match="nf4 has no negative of each level, which a skew matrix needs for it"
    ):
        vech.quantize(S, "nf4", scales="two-sided").permute(order)


def test_codebooks_of_nothing():
    with pytest.raises(ValueError, match="there is no matrix to find levels in"):
        vech.quantized.codebook([])
    with pytest.raises(TypeError, match="codebook takes a matrix or several, not int"):
        vech.quantized.codebook(3)
    with pytest.raises(ValueError, match=r"S\[1, 0\] is nan"):
        vech.quantized.codebook(np.array([[1, np.nan], [np.nan, 1]]))


def test_a_series_goes_by_its_labels_or_is_refused():
    pandas = pytest.importorskip("pandas")
    names = [f"r{k}" for k in range(70)]
    Q = vech.quantize(pandas.DataFrame(FULL, names, names))
    values = pandas.Series(np.arange(70.0), names)
    assert_same_bits(Q.with_diagonal(values).diagonal(), np.arange(70.0))
    assert_same_bits(Q.product_bound(values), Q.product_bound(np.arange(70.0)))
    said = (
        r"row 0 of S is 'r0', and of {} 'r69': give both the same labels in one order, or pass {}\.to_numpy"
    )
    with pytest.raises(ValueError, match=said.format("values", "values")):
        Q.with_diagonal(values[::-1])
    with pytest.raises(ValueError, match=said.format("x", "x")):
        Q.product_bound(values[::-1])


def test_numbers_whose_sums_are_beyond_floats_are_one_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(OverflowError, match="an eigenvalue is beyond float64: scale the matrix"):
            vech.quantized.low_rank(np.full((3, 3), 1e308), 1)
