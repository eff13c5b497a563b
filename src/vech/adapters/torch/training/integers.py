"""Training in 4 bits: Hadamard rotations, gradients in two planes, rows drawn by their size."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vech.adapters.torch.checks import as_number, check_half, check_real, check_rows
from vech.adapters.torch.moves import expand, pack
from vech.adapters.torch.precision import as_it_is, autocast_dtype, wide
from vech.adapters.torch.products import gram, matmul
from vech.adapters.torch.training.steps import lsq, lsq_tensor
from vech.layouts.dialects import AnyLayout
from vech.quantized.encodings import LOW
from vech.quantized.hadamard import checked_block

MOST = 7  # of 4 bits


def hadamard(x: Tensor, block: int = 32) -> Tensor:
    """x H, where H has Hadamard matrices over the roots of their sides along its diagonal.

    Parameters
    ----------
    x : tensor, shape (..., n)
        Rows whose large numbers are to be shared out among their neighbours.
    block : int
        Rows of a Hadamard matrix, a power of two up to 512. What is left over at the end is mixed by smaller
        powers of two.

    Returns
    -------
    tensor, shape (..., n)
        H is symmetric and orthogonal, so that a second call undoes the first.

    Raises
    ------
    ValueError
        For a block that is no power of two.

    Examples
    --------
    >>> hadamard(torch.tensor([8.0, 0.0, 0.0, 0.0])).tolist()
    [4.0, 4.0, 4.0, 4.0]
    """
    check_rows(x, "x")
    side, done, n, found = checked_block(block), 0, x.shape[-1], []
    while done < n:
        while side > n - done:
            side //= 2
        count = (n - done) // side * side
        pieces = x[..., done : done + count].unflatten(-1, (-1, side))
        with as_it_is(x):
            found.append((pieces @ _sylvester(side, x)).flatten(-2))
        done += count
    return torch.cat(found, -1) if found else x


def _sylvester(side: int, like: Tensor) -> Tensor:
    """Sylvester's Hadamard matrix over the root of its side."""
    found = like.new_ones((1, 1))
    while len(found) < side:
        found = torch.cat([torch.cat([found, found], 1), torch.cat([found, -found], 1)])
    return found * side**-0.5


def rotate(h: Tensor, layout: str | AnyLayout = "vech", *, block: int = 32) -> Tensor:
    """The half of H A H', which expands A on the way; H is that of `hadamard`, so a second call undoes it.

    Parameters
    ----------
    h : tensor, shape (..., length)
        Halves of symmetric matrices A.
    layout : str or layout
        Of the halves, with its diagonal.
    block : int
        Rows of a Hadamard matrix, a power of two up to 512.

    Returns
    -------
    tensor, shape (..., length)
        Halves with the same eigenvalues, large numbers of A shared out among the rows of a block.

    Raises
    ------
    ValueError
        For a block that is no power of two, and a layout without its diagonal.

    Notes
    -----
    ``(x H) (H A H') = (x A) H``: rotated rows times the rotated half are rotated rows. 2 n^2 block operations
    of BLAS, and n^2 numbers. Source: H. Xi et al., "Training transformers with 4-bit integers", NeurIPS 2023.

    Examples
    --------
    >>> rotate(torch.tensor([2.0, 0.0, 0.0])).round(decimals=4).tolist()
    [1.0, 1.0, 1.0]
    """
    check_half(h, "h")
    check_real(h, "h")
    full = hadamard(hadamard(expand(h, layout), block).mT, block)
    return pack(full, layout, use="lower")


class Planes(NamedTuple):
    """Whole numbers -7 ... 7 in two planes: ``scale (14 high + low)``."""

    high: Tensor
    low: Tensor
    scale: Tensor

    def sum(self) -> Tensor:
        """What they say.

        Returns
        -------
        tensor
            ``scale (14 high + low)``.

        Examples
        --------
        >>> Planes(torch.tensor(2.0), torch.tensor(-1.0), torch.tensor(0.5)).sum()
        tensor(13.5000)
        """
        return self.scale * (LOW * self.high + self.low)


def split(g: Tensor, *, generator: torch.Generator | None = None) -> Planes:
    """A gradient in two planes of 4 bits, right in the mean.

    Parameters
    ----------
    g : tensor
        Any real one.
    generator : torch.Generator, optional
        Of the rounding of the low plane to one of the two whole numbers around, the nearer the more probable.

    Returns
    -------
    Planes
        ``high, low, scale``, whole numbers in float32 at least; the scale is ``max |g| / 98``.

    Raises
    ------
    TypeError
        For numbers that are not real and floating.

    Notes
    -----
    The high plane has the nearest multiples of 14 steps, so what is left is at most 7 of them. The planes are
    those of "int4x2" of `vech.ENCODINGS`. Source: Xi et al. 2023, "bit splitting".

    Examples
    --------
    >>> planes = split(torch.tensor([98.0, -3.0, 20.0]))
    >>> planes.high.tolist(), planes.low.tolist()
    ([7.0, -0.0, 1.0], [0.0, -3.0, 6.0])
    """
    check_real(g, "g")
    g = wide(g)
    scale = (_largest(g) / (LOW * MOST)).clamp(min=torch.finfo(g.dtype).tiny)
    steps = g / scale
    high = (steps / LOW).round()
    left = steps - LOW * high
    below = left.floor()
    chance = torch.rand(g.shape, generator=generator, dtype=g.dtype, device=g.device)
    return Planes(high, below + (chance < left - below), scale)


def _largest(x: Tensor) -> Tensor:
    return x.abs().amax() if x.numel() else x.new_zeros(())


def keep_probabilities(sizes: Tensor, count: float) -> Tensor:
    """With which probability each row is kept: as its size, at most 1, so that some `count` are kept.

    Parameters
    ----------
    sizes : tensor, shape (rows,)
        At least 0: the length of a row, or the product of the lengths of both rows that are multiplied.
    count : float
        How many rows are kept in the mean; 0 or more.

    Returns
    -------
    tensor, shape (rows,)
        In float32 at least. Their sum is `count`, or the number of rows that are not zero, where these are
        fewer. 1 for NaN and infinity, so that they are seen.

    Raises
    ------
    ValueError
        For a count that is not positive, and negative sizes.

    Notes
    -----
    ``p_t = min(1, c size_t)``: the variance of ``sum_t kept_t z_t / p_t`` with ``|z_t|`` the sizes is
    the least for so many rows. Source: Xi et al. 2023, "leverage score sampling".

    Examples
    --------
    >>> keep_probabilities(torch.tensor([10.0, 1.0, 1.0, 0.0]), 2).tolist()
    [1.0, 0.5, 0.5, 0.0]
    """
    check_real(sizes, "sizes")
    count = as_number("count", count, 0, math.inf, open_below=True)
    if (sizes < 0).any():
        raise ValueError(f"sizes has {float(sizes.min())}, and sizes are 0 or more")
    dtype, sizes = wide(sizes).dtype, _in_units(sizes)
    finite = sizes.isfinite()
    found = (~finite).to(sizes.dtype)  # a row of NaN is not lost
    some = (sizes > 0) & finite
    while True:
        left = count - float((found >= 1).sum())
        rest = some & (found < 1)
        if left <= 0 or not rest.any():
            return found.to(dtype)
        found = torch.where(rest, sizes * (left / sizes[rest].sum()), found)
        if (found[rest] <= 1).all():
            return found.to(dtype)
        found = found.clamp(max=1)


def _in_units(x: Tensor) -> Tensor:
    """In double, in units of the largest finite number, so that neither squares nor sums leave the range."""
    x = x.double()
    most = _largest(torch.where(x.isfinite(), x, 0))
    return x / torch.where(most == 0, 1, most)


def sampled_gram(
    X: Tensor, count: float, layout: str | AnyLayout = "vech", *, generator: torch.Generator | None = None
) -> Tensor:
    """The half of X' X from some of the rows, right in the mean.

    Parameters
    ----------
    X : tensor, shape (rows, n)
        Real numbers.
    count : float
        How many rows are kept in the mean.
    layout : str or layout
        Of the result.
    generator : torch.Generator, optional
        Of the draw.

    Returns
    -------
    tensor, shape (length,)
        ``sum_t kept_t x_t x_t' / p_t``, with gradients of the rows that were kept.

    Raises
    ------
    ValueError
        For a count that is not positive.

    Notes
    -----
    Rows are kept each by itself, with `keep_probabilities` of their squared length. O(count n^2 / 2). In
    NumPy, with an estimate of its error: `vech.covariance.sampled_gram`.

    Examples
    --------
    >>> X = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    >>> sampled_gram(X, 2).tolist()
    [9.0, 0.0, 1.0]
    """
    check_rows(X, "X")
    if X.ndim != 2:
        raise ValueError(f"X has shape {tuple(X.shape)}, and must have (rows, n)")
    p = keep_probabilities(_in_units(X.detach()).square().sum(-1), count)
    kept = draw(p, generator)
    some = wide(X[kept]) * p[kept, None].rsqrt()
    return gram(some.mT, layout).to(X.dtype)


def draw(probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
    """Which rows are kept, each by itself."""
    chance = torch.rand(probabilities.shape, generator=generator, dtype=torch.float64)
    return (chance.to(probabilities.device) < probabilities).nonzero()[:, 0]


def int4_matmul(
    h: Tensor,
    x: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    keep: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """x A, whose gradients are made of the gradient of the result in two planes of 4 bits, and of some rows.

    Parameters
    ----------
    h : tensor, shape (length,)
        The half of a symmetric matrix A, such as `lsq` makes.
    x : tensor, shape (..., n)
        Rows, such as `lsq_tensor` makes.
    layout : str or layout
        Of the half.
    keep : float
        How many rows of the planes are kept, in rows of x: 1 is half of those of both planes, 2 all.
    generator : torch.Generator, optional
        Of rounding and of the draws.

    Returns
    -------
    tensor, shape (..., n)
        The exact product.

    Raises
    ------
    ValueError
        For a `keep` that is not positive, and rows of another length.

    Notes
    -----
    With G = s (14 high + low) the gradient of the result by `split`, and P the rows of both planes, the
    gradient of the half is ``sum_t kept_t (P_t x_t' + x_t P_t') / p_t``, rows being kept as ``|P_t| |x_t|``,
    and that of x ``sum_t kept_t P_t A / p_t``, rows being kept as ``|P_t|``. Both are right in the mean.
    Products of whole numbers are simulated: by floats, exactly up to 2^24. Source: Xi et al. 2023.

    Examples
    --------
    >>> h = torch.tensor([2.0, 1.0, 3.0], requires_grad=True)
    >>> int4_matmul(h, torch.tensor([[1.0, 2.0]])).tolist()
    [[4.0, 7.0]]
    """
    check_rows(x, "x")
    keep = as_number("keep", keep, 0, math.inf, open_below=True)
    rows = x.flatten(0, -2) if x.ndim > 1 else x[None]
    if autocast_dtype(x) is not None:  # which lets a model have two dtypes
        h, rows = wide(h), wide(rows)
    product: Tensor = _Product.apply(h, rows, layout, keep, generator)
    return product.to(x.dtype).reshape(x.shape)


class _Product(torch.autograd.Function):
    """x A, with gradients by planes and rows."""

    @staticmethod
    def forward(h: Tensor, x: Tensor, layout: Any, keep: float, generator: Any) -> Tensor:
        return matmul(h, x.mT, layout).mT

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.options = inputs[2:]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        layout, keep, generator = ctx.options
        h, x = ctx.saved_tensors
        if not len(x):
            return torch.zeros_like(h), torch.zeros_like(x), None, None, None
        h, x = wide(h), wide(x)
        planes = split(g, generator=generator)
        rows = torch.cat([LOW * planes.high, planes.low])  # in units of the scale
        with_x = torch.cat([x, x])
        lengths, count = _in_units(rows).norm(dim=-1), keep * len(x)

        p = keep_probabilities(lengths * _in_units(with_x).norm(dim=-1), count).to(rows.dtype)
        kept = draw(p, generator)
        _, back = torch.func.vjp(lambda half: matmul(half, with_x[kept].mT, layout).mT, h)
        (of_half,) = back(rows[kept] / p[kept, None])

        p = keep_probabilities(lengths, count).to(rows.dtype)
        kept = draw(p, generator)
        some = matmul(h, (rows[kept] / p[kept, None]).mT, layout).mT
        of_rows = torch.zeros_like(x).index_add(0, kept % len(x), some)
        return *((found * planes.scale).to(g.dtype) for found in (of_half, of_rows)), None, None, None


def int4_linear(
    h: Tensor,
    x: Tensor,
    steps: Tensor,
    step: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    block: int = 32,
    keep: float = 1.0,
    tile: int = 64,
    generator: torch.Generator | None = None,
) -> Tensor:
    """x A in 4 bits: rotated, on learned steps, with gradients in 4 bits too.

    Parameters
    ----------
    h : tensor, shape (length,)
        The half of a symmetric matrix A, which is trained.
    x : tensor, shape (..., n)
        Rows.
    steps : tensor, shape (tiles,)
        Of `lsq`, for the rotated half: ``first_steps(rotate(h))``.
    step : tensor, shape ()
        Of `lsq_tensor`, for rotated rows.
    layout : str or layout
        Of the half, with its diagonal.
    block : int
        Of `hadamard`.
    keep : float
        Of `int4_matmul`.
    tile : {64, 32, 128, 256}
        Rows and columns of a tile.
    generator : torch.Generator, optional
        Of rounding and of the draws.

    Returns
    -------
    tensor, shape (..., n)
        ``(Q(x H) Q(H A H')) H``, Q being `lsq` in 4 bits; the diagonal of the rotated half is not in codes.

    Raises
    ------
    ValueError
        As `rotate`, `lsq` and `int4_matmul`.

    Notes
    -----
    What Xi et al. 2023 do in each linear layer of a transformer, with a symmetric matrix of which each number
    is rotated and rounded once. `rotate` expands the half on the way: n^2 numbers.

    Examples
    --------
    >>> h, x = torch.tensor([2.0, 1.0, 3.0]), torch.tensor([[1.0, 2.0]])
    >>> (x @ expand(h)).tolist(), int4_linear(h, x, torch.tensor([0.25]), torch.tensor(0.5)).tolist()
    ([[4.0, 7.0]], [[3.8..., 6.3...]])
    """
    weights = lsq(rotate(h, layout, block=block), steps, layout, tile=tile)
    rows = lsq_tensor(hadamard(x, block), step)
    return hadamard(int4_matmul(weights, rows, layout, keep=keep, generator=generator), block)
