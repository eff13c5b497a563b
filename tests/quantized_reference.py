"""The kernels of quantized halves by their definitions, number by number where that is bearable."""

import ml_dtypes
import numpy as np

NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635),
    *(-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725),
    *(0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941),
    *(0.7229568362236023, 1.0),
)
LINEAR2 = tuple(0.0 if k == 7 else float(np.sign(2 * k - 15) * ((2 * k - 15) / 15) ** 2) for k in range(16))
INT4 = tuple(float(k - 8) for k in range(16))
FLOATS = {
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8-e4m3": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8-e5m2": np.dtype(ml_dtypes.float8_e5m2),
}
BITS = {
    **dict.fromkeys(("float16", "bfloat16"), 16),
    **dict.fromkeys(("float8-e4m3", "float8-e5m2", "int8", "uint8"), 8),
    **dict.fromkeys(("int4", "nf4", "linear2-4", "kmeans-4"), 4),
    "sign": 1,
}
LEVELS = {"int4": INT4, "nf4": NF4, "linear2-4": LINEAR2}
MOST = {  # the level of a tile's largest number; what has none is not scaled
    "int8": 127,
    "uint8": 255,
    "int4": 7,
    "nf4": 1,
    "linear2-4": 1,
    "kmeans-4": 1,
    "sign": 1,
    "float8-e4m3": 448,
    "float8-e5m2": 57344,
}


def encodings():
    return [
        (name, bits, MOST.get(name, 0), list(LEVELS[name]) if name in LEVELS else None)
        for name, bits in BITS.items()
    ]


class QuantizedHalf:
    def __init__(self, n, tile, encoding, codes, scales, zeros, sides, levels, diagonal, mirror):
        self.n, self.tile, self.encoding, self.mirror = n, tile, encoding, mirror
        self.codes, self.scales, self.zeros, self.sides, self.diagonal = codes, scales, zeros, sides, diagonal
        self.levels = np.asarray(LEVELS[encoding] if levels is None and encoding in LEVELS else levels)
        self.bits, self.dtype = BITS[encoding], diagonal.dtype
        self.grid = -(-n // tile)


# ---- where codes are ---------------------------------------------------------------------------------------


def place(half, r, c):
    """The number of the code of row r and column c, in codes of its bits from the beginning."""
    tile, i, j = half.tile, r // half.tile, c // half.tile
    width = min(tile, 64)
    together = 128 // width if half.bits == 4 else 1
    height = min(tile, half.n - i * tile)
    stored = -(-height // together) * together
    r, c = r % tile, c % tile
    start = tile * tile * i * (i + 1) // 2 + j * tile * stored + c // width * stored * width
    c %= width
    if half.bits != 4:
        return start + r * width + c
    nibble = r % together * (width // 16) + c // 16
    return start + r // together * 128 + c % 16 * 8 + nibble


def code_of(half, r, c):
    k, bits = place(half, r, c), half.bits
    if bits == 16:
        return int(half.codes[2 * k]) | int(half.codes[2 * k + 1]) << 8
    return int(half.codes[k * bits // 8]) >> k * bits % 8 & (1 << bits) - 1


def put(half, r, c, code):
    k, bits = place(half, r, c), half.bits
    if bits == 16:
        half.codes[2 * k], half.codes[2 * k + 1] = code & 255, code >> 8
    else:
        at, shift = k * bits // 8, k * bits % 8
        half.codes[at] = int(half.codes[at]) & ~((1 << bits) - 1 << shift) & 255 | code << shift


# ---- what a code is ----------------------------------------------------------------------------------------


def level(half, code):
    name = half.encoding
    if name in FLOATS:
        return float(np.array(code, f"u{half.bits // 8}").view(FLOATS[name]))
    if name == "int8":
        return float(np.array(code, np.uint8).view(np.int8))
    if name == "sign":
        return 2.0 * code - 1
    return float(code) if name == "uint8" else float(half.levels[code])


def candidates(half):
    """All codes with their levels, ascending; of equal ones the lower code."""
    if half.encoding == "int4":
        codes = range(1, 16)
    elif half.encoding == "int8":
        codes = [*range(129, 256), *range(128)]
    else:
        codes = range(2**half.bits)
    known = [(level(half, code), code) for code in codes]
    return sorted((value, code) for value, code in known if np.isfinite(value))


def nearest(half, x):
    """The code of the nearest level: of two as near that of the even integer, in a table the lower one."""
    name = half.encoding
    if name in FLOATS:
        with np.errstate(over="ignore"):
            return int(np.array(x).astype(FLOATS[name]).view(f"u{half.bits // 8}"))
    if name == "sign":
        return int(x >= 0)
    if name in ("int8", "uint8", "int4"):
        integer = int(np.rint(x))
        return {"int8": integer & 255, "uint8": integer, "int4": integer + 8}[name]
    return int(np.argmin(np.abs(half.levels - float(x))))


def between(half, x, chance):
    """One of the two neighbouring levels, so that the mean over chances from 0 to 1 is x."""
    known = candidates(half)
    values = np.array([value for value, _ in known])
    above = int(np.searchsorted(values, x))
    if above == 0 or above == len(known) or values[above] == x:
        return known[min(above, len(known) - 1)][1]
    share = (x - values[above - 1]) / (values[above] - values[above - 1])
    return known[above if chance < share else above - 1][1]


def lower(half, i, j):
    """Rows and columns of the numbers of a tile."""
    t = half.tile
    rows = range(i * t, min((i + 1) * t, half.n))
    return [(r, c) for r in rows for c in range(j * t, min((j + 1) * t, r))]


def unit(half, r, c):
    return half.dtype.type(1) if half.sides is None else half.sides[r] * half.sides[c]


def number(half, r, c):
    k = r // half.tile * (r // half.tile + 1) // 2 + c // half.tile
    value = half.dtype.type(level(half, code_of(half, r, c))) * half.scales[k]
    if half.zeros is not None:
        value += half.zeros[k]
    return value * unit(half, r, c)


# ---- kernels -----------------------------------------------------------------------------------------------


def scale_of(half, numbers, seed):
    """The scale of a tile, and what its code 0 is. A random sign is right in the mean within the largest."""
    zero = half.dtype.type(0)
    name = half.encoding
    if not numbers or (name in FLOATS and name not in MOST):
        return half.dtype.type(1 if name in FLOATS and name not in MOST else 0), zero
    x = np.array(numbers, half.dtype)
    if name == "uint8":
        scale, zero = (x.max() - x.min()) / half.dtype.type(255), x.min()
        spread = x.max() > x.min()
    elif name == "sign" and seed < 0:
        scale = half.dtype.type(np.abs(x.astype(float)).mean())
        spread = np.abs(x).max() > 0
    else:
        scale = np.abs(x).max() / half.dtype.type(MOST[name])
        spread = np.abs(x).max() > 0
    return np.finfo(half.dtype).smallest_subnormal if spread and scale == 0 else scale, zero


COMPUTED, GIVEN, CLIPPING = 0, 1, 2  # scales


def quantize_block(half, block, row, column, scales, seed, tiles, sums):
    largest, t = 0.0, half.tile
    given, clip = scales != COMPUTED, scales == CLIPPING
    limit = {"int8": 127.5, "uint8": 255.5, "int4": 7.5, "sign": np.inf, "float8-e4m3": 464.0}
    limit |= {"float8-e5m2": 61440.0}
    with np.errstate(all="ignore"):
        for i in range(row // t, -(-(row + block.shape[0]) // t)):
            for j in range(column // t, min(-(-(column + block.shape[1]) // t), i + 1)):
                k = i * (i + 1) // 2 + j
                here = lower(half, i, j)
                for r, c in here:
                    if not np.isfinite(block[r - row, c - column]):
                        return largest, 1, r, c
                numbers = [block[r - row, c - column] / unit(half, r, c) for r, c in here]
                if not given:
                    half.scales[k], zero = scale_of(half, numbers, seed)
                    if half.zeros is not None:
                        half.zeros[k] = zero
                for (r, c), x in zip(here, numbers, strict=True):
                    zero = half.dtype.type(0) if half.zeros is None else half.zeros[k]
                    scale = half.scales[k]
                    scaled = (x - zero) / scale if scale else half.dtype.type(0) * x
                    most = MOST.get(half.encoding, float(np.finfo(half.dtype).max))
                    least = 0 if half.encoding == "uint8" else -most
                    beyond = abs(scaled) >= limit.get(half.encoding, 1 + 2**-20)
                    if half.encoding in ("float16", "bfloat16"):
                        beyond = not np.isfinite(scaled.astype(FLOATS[half.encoding]))
                        most = float(ml_dtypes.finfo(FLOATS[half.encoding]).max)
                    if half.encoding == "uint8":
                        beyond |= scaled < -0.5
                    if (beyond or (scale == 0 and given and x != zero)) and not clip:
                        return largest, 2, r, c
                    if half.encoding != "sign":
                        scaled = half.dtype.type(np.clip(scaled, least, most))
                    if seed < 0:
                        code = nearest(half, scaled)
                    else:
                        chance = np.random.default_rng([seed, r, c]).random()
                        code = between(half, float(scaled), chance)
                    put(half, r, c, code)
                    error = abs(float(block[r - row, c - column]) - float(number(half, r, c)))
                    largest = max(largest, error)
                    tiles[k] += error**2
                    sums[r] += error
                    sums[c] += error
    return largest, 0, -1, -1


def dequantize_block(half, out, row, column, full, threads):
    for a in range(out.shape[0]):
        for b in range(out.shape[1]):
            r, c = row + a, column + b
            if r == c:
                out[a, b] = half.diagonal[r] if full else 0
            elif r > c:
                out[a, b] = number(half, r, c)
            else:
                out[a, b] = half.mirror * number(half, c, r) if full else 0


def product(half, strict, x, straight, mirrored):
    """Of what lies below the diagonal, as `dequantize_block` has it, with the diagonal, in double."""
    strict, x = strict.astype(float), x.astype(float)
    return straight * (strict @ x) + (half.diagonal * x.T).T + mirrored * (strict.T @ x)
