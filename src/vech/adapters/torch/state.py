"""LowBitState: a positive definite statistic of an optimizer as a half, in floats or in few bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from reprlib import repr as short
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from vech.adapters.torch.checks import as_number, check_constant, check_entries, check_flag, check_real
from vech.adapters.torch.held import FLOATS, SMALL, Held, resolved
from vech.adapters.torch.moves import convert, expand, pack
from vech.adapters.torch.products import gram
from vech.layouts.dialects import AnyLayout
from vech.layouts.layout import as_side, one_of
from vech.quantized.parts import as_tile

__all__ = ["LowBitState"]


def __dir__() -> list[str]:
    return __all__


FEEDBACK = "linear2-4"  # the encoding of the error that is fed back
DESCRIBED = ("n", "encoding", "domain", "tile", "floor", "feedback")  # in a checkpoint, beside tensors
LIFT = 4  # eps of the numbers and the side, to which eigenvalues go that rounding has made negative
Spectrum = tuple[Tensor, Tensor]


class Domain(NamedTuple):
    """What of S becomes codes, all in double: from S and its floor, back to S, and to its eigenvalues."""

    encode: Callable[[Tensor, float], Tensor]
    decode: Callable[[Tensor], Tensor]
    spectrum: Callable[[Tensor], Spectrum]


def _entries_spectrum(held: Tensor) -> Spectrum:
    values, vectors = torch.linalg.eigh(held)
    return values.clamp(min=0), vectors


def _triangle(held: Tensor) -> Tensor:
    L = held.tril()
    return L @ L.mT


def _factor(S: Tensor, floor: float) -> Tensor:
    """L of S with its floor on the diagonal; where that does not do, of S with its eigenvalues lifted."""
    shift = floor * S.diagonal().max() * torch.eye(len(S), dtype=S.dtype, device=S.device)
    L, failed = torch.linalg.cholesky_ex(S + shift)
    return torch.linalg.cholesky(_made(*_lifted(S, floor)) + shift) if failed else L


def _logarithm(S: Tensor, floor: float) -> Tensor:
    values, vectors = _lifted(S, floor)
    return (vectors * values.log()) @ vectors.mT


def _exponential(held: Tensor) -> Spectrum:
    values, vectors = torch.linalg.eigh(held)
    return values.exp(), vectors


def _lifted(S: Tensor, floor: float) -> Spectrum:
    """Eigenvalues, none less than `floor` times the largest."""
    values, vectors = torch.linalg.eigh(S)
    least = max(floor, LIFT * len(S) * torch.finfo(S.dtype).eps)
    return values.clamp(min=least * float(values[-1])), vectors


def _made(values: Tensor, vectors: Tensor) -> Tensor:
    return (vectors * values) @ vectors.mT


DOMAINS = {
    "entries": Domain(lambda S, floor: S, lambda held: held, _entries_spectrum),
    "cholesky": Domain(_factor, _triangle, lambda held: _entries_spectrum(_triangle(held))),
    "log": Domain(_logarithm, lambda held: _made(*_exponential(held)), _exponential),
}


class LowBitState:
    """A positive semidefinite S of side n: updated by Gram matrices, and asked for S^(-1/p).

    Parameters
    ----------
    n : int
        Side of the matrix, which begins as zeros.
    encoding : str, optional
        A key of `vech.ENCODINGS`; None or "float32": a half of floats.
    domain : {"log", "cholesky", "entries"}
        What becomes codes: the logarithm of S, of which every eigenvalue comes back to the same fraction; its
        Cholesky factor, which is definite too and costs less; or S, of which small eigenvalues are lost.
    tile : {32, 64, 128, 256}
        Rows and columns that share a scale.
    floor : float
        In the domains "log" and "cholesky" no eigenvalue is held less than about this, over the largest.
    feedback : float, optional
        Of what rounding has lost, the share that is kept for the next time: the b of
        ``E <- b E + (1 - b) (C + E - Q)``, where C is what becomes codes and Q what these say, held in 4 bits
        itself (arXiv 2412.10663). None: nothing is fed back.
    smallest : int
        A matrix of fewer than so many numbers, n x n, is held in floats (4-bit Shampoo: 4096).
    dtype : torch.dtype
        Of numbers, scales and diagonals, and of what comes out: float32 or float64.
    device : torch.device, optional
        Where it is held.

    Raises
    ------
    ValueError, TypeError
        For names that are none, numbers out of range, and other dtypes.

    Notes
    -----
    Codes are made and read on the CPU, by vech's kernels, wherever they are held. An update of codes takes
    n x n numbers in double, and in the domain "log" two eigendecompositions, in "cholesky" a factor and a
    product; of floats it is a new half. As long as S is zero nothing is held.

    Examples
    --------
    >>> state = LowBitState(100, "int8")
    >>> for k in range(3):
    ...     state = state.update(factor=torch.ones(100, 5) + torch.eye(100, 5), beta=0.9)
    >>> state.nbytes, 4 * 100 * 100                     # beside the full matrix in float32
    (7096, 40000)
    >>> root = state.root(4)                            # the half of (S + 1e-6 max(eigenvalues) I)^(-1/4)
    >>> root.shape, bool((torch.linalg.eigvalsh(expand(root)) > 0).all())
    (torch.Size([5050]), True)
    """

    def __init__(
        self,
        n: int,
        encoding: str | None = None,
        *,
        domain: str = "log",
        tile: int = 32,
        floor: float = 1e-7,
        feedback: float | None = None,
        smallest: int = SMALL,
        dtype: torch.dtype = torch.float32,
        device: Any = None,
    ) -> None:
        self.n = as_side(n)
        one_of("domain", domain, DOMAINS)
        _check_dtype(dtype)
        self.floor = as_number("floor", floor, 0, 1)
        self.feedback = None if feedback is None else as_number("feedback", feedback, 0, 1)
        self.encoding, self.domain, self.tile = resolved(encoding, self.n, smallest), domain, as_tile(tile)
        self.dtype, self._device = dtype, torch.device("cpu" if device is None else device)
        self._held: Held | None = None
        self._error: Held | None = None

    # ------------------------------------------------------------ what it is

    @property
    def device(self) -> torch.device:
        """Where it is held."""
        return self._device

    @property
    def nbytes(self) -> int:
        """Bytes of all that is held."""
        return sum(held.nbytes for held in (self._held, self._error) if held is not None)

    def __repr__(self) -> str:
        how = "" if self.encoding == FLOATS else f", domain={self.domain!r}"
        return f"LowBitState({self.n}, {self.encoding!r}{how})"

    # ------------------------------------------------------------ update

    def update(
        self,
        gram: Tensor | None = None,
        beta: float = 0.95,
        *,
        factor: Tensor | None = None,
        weight: float | None = None,
    ) -> Self:
        """``S <- beta S + weight gram``.

        Parameters
        ----------
        gram : tensor, shape (n(n+1)/2,) or (n, n), optional
            Positive semidefinite: a half in the layout "vech", or a square.
        beta : float
            What is left of S.
        factor : tensor, shape (n, k), optional
            G in place of `gram`, which is then ``G G'``: each of its products is computed once.
        weight : float, optional
            1 - beta unless told.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For both or neither, other shapes, complex numbers, a square that is not symmetric, NaN and
            infinity, and what requires a gradient, of which there is none here; S is then as it was.
        OverflowError
            For a sum beyond the dtype; S is then as it was.

        Examples
        --------
        >>> state = LowBitState(2).update(torch.tensor([[2.0, 1.0], [1.0, 3.0]]), beta=0.0)
        >>> state.half()
        tensor([2., 1., 3.])
        """
        beta = as_number("beta", beta, 0, 1)
        new = self._half_of(gram, factor)
        most = torch.finfo(self.dtype).max
        share = 1 - beta if weight is None else as_number("weight", weight, 0, most)
        if self.encoding == FLOATS:
            half = share * new
            if self._held is not None:
                half.add_(self._held.tensors["half"], alpha=beta)
            self._check_size(half)
            self._held = Held({"half": half}, self.n, FLOATS, self.tile)
        else:
            S = share * expand(new).double()
            S = S if self._held is None else S + beta * self._square()
            self._check_size(S)
            self._held, self._error = self._coded(S)
        return self

    def _check_size(self, S: Tensor) -> None:
        """Refuse what would be infinite in the dtype of this state."""
        most = torch.finfo(self.dtype).max
        if S.numel() and not all(abs(end) <= most for end in S.aminmax()):
            raise OverflowError(
                f"S would have numbers beyond {most:.3g}, where {self.dtype} ends: multiply what is added by "
                f"a number, or take a beta or a weight that is less; S is as it was"
            )

    def _half_of(self, given: Any, factor: Any) -> Tensor:
        """What is added, as a half."""
        if (given is None) == (factor is None):
            raise ValueError("update takes one of gram, a half or a square, and factor=, a G of n rows")
        name, tensor = ("gram", given) if factor is None else ("factor", factor)
        check_real(tensor, name)
        check_constant(tensor, name)
        if tensor.is_meta or self._device.type == "meta":
            raise ValueError(f"{name} or this state is on meta, which has no numbers: give both a device")
        tensor = tensor.detach().to(self._device, self.dtype)
        length, shape = self.n * (self.n + 1) // 2, tuple(tensor.shape)
        if given is None and (len(shape) != 2 or shape[0] != self.n):
            raise ValueError(f"factor has shape {shape}, and must have ({self.n}, k): n is {self.n}")
        if given is not None and shape not in ((length,), (self.n, self.n)):
            raise ValueError(
                f"gram has shape {shape}, and must be a half, ({length},), or a square, "
                f"({self.n}, {self.n}): n is {self.n}; factor= takes a G of gram = G G'"
            )
        half = _squared(tensor) if given is None else pack(tensor) if tensor.ndim == 2 else tensor
        if half.numel() and not all(
            math.isfinite(end) for end in half.aminmax()
        ):  # an eighth of isfinite's time
            raise ValueError(
                f"{name} gives a matrix with NaN or infinity, and S would keep it: leave this step out; "
                f"S is as it was"
            )
        return half

    def _square(self) -> Tensor:
        """S in double."""
        assert self._held is not None, "of zeros there is nothing to decode"
        return DOMAINS[self.domain].decode(self._held.square().double())

    def _coded(self, S: Tensor) -> tuple[Held | None, Held | None]:
        """Codes of S, and of what these lose."""
        if not S.diagonal().max() > 0:
            return None, None
        C = DOMAINS[self.domain].encode(S, self.floor).to(self.dtype)
        if self._error is not None:
            C = C + self._error.square()
        held = Held.of(C, self.encoding, self.tile)
        if self.feedback is None:
            return held, None
        lost = (1 - self.feedback) * (C - held.square())
        kept = 0 if self._error is None else self.feedback * self._error.square()
        return held, Held.of(kept + lost, FEEDBACK, self.tile)

    # ------------------------------------------------------------ what comes out

    def expand(self) -> Tensor:
        """S as a full matrix, positive semidefinite but for rounding, shape (n, n).

        Returns
        -------
        tensor, shape (n, n)
            In the domain "entries" with the eigenvalues that rounding has made negative at zero.

        Examples
        --------
        >>> LowBitState(2).update(torch.tensor([2.0, 1.0, 3.0]), beta=0.0).expand()
        tensor([[2., 1.],
                [1., 3.]])
        """
        return expand(self.half())

    def half(self, layout: str | AnyLayout = "vech") -> Tensor:
        """S as a half.

        Parameters
        ----------
        layout : str or Layout
            Its order.

        Returns
        -------
        tensor, shape (n(n+1)/2,)
            In memory of its own.

        Raises
        ------
        ValueError, TypeError
            For a layout that is none.

        Examples
        --------
        >>> LowBitState(2).update(torch.tensor([2.0, 1.0, 3.0]), beta=0.0).half("svec-lower")
        tensor([2.0000, 1.4142, 3.0000])
        """
        if self._held is None:
            half = torch.zeros(self.n * (self.n + 1) // 2, dtype=self.dtype, device=self._device)
        elif self.encoding == FLOATS:
            half = self._held.tensors["half"].clone()
        elif self.domain == "entries":
            half = pack(_made(*self._spectrum()), use="lower").to(self.dtype)
        else:
            half = pack(self._square(), use="lower").to(self.dtype)
        return convert(half, "vech", layout)

    def root(
        self, p: float = 4, damping: float = 1e-6, *, relative: bool = True, layout: str | AnyLayout = "vech"
    ) -> Tensor:
        """The half of ``(S + damping m I)^(-1/p)``, with m the largest eigenvalue of S, or 1.

        Parameters
        ----------
        p : float
            1: the inverse; 2: the inverse square root; 4: Shampoo's of a matrix.
        damping : float
            What keeps the inverse of small eigenvalues from growing.
        relative : bool
            Whether damping is in units of the largest eigenvalue.
        layout : str or Layout
            The order of the half: `vech.adapters.torch.expand` makes the matrix of it.

        Returns
        -------
        tensor, shape (n(n+1)/2,)
            Of a positive definite matrix. Of an S of zeros that of the identity.

        Raises
        ------
        ValueError
            For p or damping that are not positive.

        Notes
        -----
        In double, by the eigenvalues of S: some 9 n^3 operations, and n^3 for the half.

        Examples
        --------
        >>> LowBitState(2).update(torch.tensor([16.0, 0.0, 81.0]), beta=0.0).root(4, 1e-12)
        tensor([0.5000, 0.0000, 0.3333])
        """
        check_flag("relative", relative)
        p, damping = (
            as_number(name, value, 0, math.inf, open_below=True)
            for name, value in (("p", p), ("damping", damping))
        )
        return gram(self._half_root(p, damping, relative), layout).to(self.dtype)

    def _half_root(self, p: float, damping: float, relative: bool) -> Tensor:
        """X of the root X X', in double."""
        if self._held is None or not self.n:
            return torch.eye(self.n, dtype=torch.float64, device=self._device)
        values, vectors = self._spectrum()
        unit = float(values[-1]) if relative else 1.0
        if not unit > 0:
            return torch.eye(self.n, dtype=torch.float64, device=self._device)
        return vectors * (values + damping * unit) ** (-1 / (2 * p))

    def _spectrum(self) -> Spectrum:
        """Eigenvalues of S, ascending and not negative, and its eigenvectors, in double."""
        assert self._held is not None, "zeros have been answered before"
        domain = "entries" if self.encoding == FLOATS else self.domain
        return DOMAINS[domain].spectrum(self._held.square().double())

    def store(self) -> Any:
        """S as a store of vech in its encoding and domain, for products, eigenvalues and files.

        Returns
        -------
        vech.Quantized or vech.Packed
            On the CPU in the memory of this state, until its next update; of zeros a `Packed`.

        Examples
        --------
        >>> LowBitState(64, "int8").update(factor=torch.eye(64), beta=0.0).store()
        Quantized(n=64, dtype=float32, kind='symmetric', encoding='int8', domain='log')
        """
        from vech.packed.packed import Packed

        if self._held is None or self.encoding == FLOATS:
            half = self.half() if self._held is None else self._held.tensors["half"]
            return Packed(half.cpu().numpy())
        return self._held.store(self.domain)

    # ------------------------------------------------------------ moves and checkpoints

    def to(self, device: Any = None, dtype: torch.dtype | None = None) -> Self:
        """Move it in place, or have its numbers in another dtype; codes are never cast.

        Parameters
        ----------
        device : torch.device, optional
            Where it is to be held.
        dtype : torch.dtype, optional
            float32 or float64.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            For another dtype.

        Examples
        --------
        >>> LowBitState(2).to(dtype=torch.float64).half().dtype
        torch.float64
        """
        if dtype is not None:
            _check_dtype(dtype)
            self.dtype = dtype
        if device is not None:
            self._device = torch.device(device)
        for held in (self._held, self._error):
            if held is not None:
                held.to(self._device, self.dtype)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values, which `torch.load` takes with ``weights_only=True``.

        Returns
        -------
        dict
            Its tensors are those of this state, not copies.

        Examples
        --------
        >>> sorted(LowBitState(64, "int4").update(factor=torch.eye(64)).state_dict()["held"]["tensors"])
        ['codes', 'diagonal', 'scales']
        """
        held, error = (None if part is None else part.state_dict() for part in (self._held, self._error))
        described = {name: getattr(self, name) for name in DESCRIBED}
        return {**described, "dtype": self.dtype, "held": held, "error": error}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> Self:
        """The state that `state_dict` told of, in tensors of its own, where its tensors are.

        Parameters
        ----------
        state : dict
            What `state_dict` gave.

        Returns
        -------
        LowBitState

        Raises
        ------
        ValueError, TypeError
            For what no state has told.

        Examples
        --------
        >>> LowBitState.from_state_dict(LowBitState(100, "int8").state_dict())
        LowBitState(100, 'int8', domain='log')
        """
        check_entries(state, (*DESCRIBED, "dtype"), cls.__name__)
        made = cls(**{name: state[name] for name in DESCRIBED}, smallest=0, dtype=state["dtype"])
        return made.load_state_dict(state)

    def load_state_dict(self, state: dict[str, Any]) -> Self:
        """Take what `state_dict` gave, in tensors of its own, where this state is held.

        Parameters
        ----------
        state : dict
            Of a state made with the same options.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Where it differs in one of these.

        Examples
        --------
        >>> old = LowBitState(2).update(torch.tensor([2.0, 1.0, 3.0]))
        >>> torch.equal(LowBitState(2).load_state_dict(old.state_dict()).half(), old.half())
        True
        """
        check_entries(state, (*DESCRIBED, "dtype", "held", "error"), type(self).__name__)
        for name in DESCRIBED:
            own, given = getattr(self, name), state[name]
            if not isinstance(given, Real | str | None) or given != own:
                raise ValueError(
                    f"the state to load has {name}={short(given)}, and this one {own!r}: make one with "
                    f"{name}={short(given)}"
                )
        _check_dtype(state["dtype"])
        self._held, self._error = (
            None if state[name] is None else Held.from_state_dict(state[name], (self.n, encoding, self.tile))
            for name, encoding in (("held", self.encoding), ("error", FEEDBACK))
        )
        return self.to(self._device, state["dtype"])


def _squared(G: Tensor) -> Tensor:
    """The half of G G', by BLAS's syrk where it is: 0.65 of the time of the full product at n = 1024."""
    if G.device.type != "cpu" or not G.numel():
        return gram(G)
    from scipy.linalg.blas import get_blas_funcs

    rows = G.numpy()
    syrk = get_blas_funcs("syrk", dtype=rows.dtype)
    by_columns = rows.flags.f_contiguous  # as BLAS has them; else their transpose is
    found = syrk(1.0, rows, lower=1) if by_columns else syrk(1.0, rows.T, trans=1, lower=1)
    return pack(torch.from_numpy(found), use="lower")


def _check_dtype(dtype: torch.dtype) -> None:
    if not isinstance(dtype, torch.dtype) or dtype not in (torch.float32, torch.float64):
        raise TypeError(
            f"dtype is {short(dtype)}, and numbers of a statistic are torch.float32 or torch.float64: "
            f"fewer bits are an encoding, such as 'bfloat16' or 'int8'"
        )
