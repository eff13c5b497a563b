"""Statistics of K-FAC and SOAP as halves: a pair of factors with inverses, and a slowly turning basis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from copy import copy
from reprlib import repr as short
from typing import Any, Self

import torch
from torch import Tensor

from vech.adapters.torch.checks import (
    FINITE,
    as_number,
    check_constant,
    check_entries,
    check_inexact,
    check_real,
    check_shape,
    check_tensor,
)
from vech.adapters.torch.moves import expand
from vech.adapters.torch.precision import as_it_is
from vech.adapters.torch.state import LowBitState
from vech.layouts.layout import as_integer

__all__ = ["Eigenbasis", "KroneckerPair"]


def __dir__() -> list[str]:
    return __all__


class KroneckerPair:
    """The Fisher matrix of a layer, nearly ``A (x) G``: K-FAC (Martens and Grosse, ICML 2015).

    Parameters
    ----------
    inputs : int
        Side of A, the mean of ``a a'`` over inputs a; with a bias, one more, and ones in that place.
    outputs : int
        Side of G, the mean of ``g g'`` over gradients g of outputs.
    encoding : str, optional
        Of both, as for `LowBitState`; inverses are halves of floats.
    **options
        Others of `LowBitState`: domain, feedback, tile, dtype, device ...

    Attributes
    ----------
    A, G : LowBitState
        The statistics.

    Examples
    --------
    >>> pair = KroneckerPair(2, 2).update(2 * torch.eye(2), torch.eye(2), beta=0.0)
    >>> pair.refresh(damping=1e-8).precondition(torch.ones(2, 2)).round(decimals=2)
    tensor([[1., 1.],
            [1., 1.]])
    """

    def __init__(self, inputs: int, outputs: int, encoding: str | None = None, **options: Any) -> None:
        self.A, self.G = (LowBitState(n, encoding, **options) for n in (inputs, outputs))
        self._inverses: tuple[Tensor, Tensor] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of statistics and inverses."""
        inverses = 0 if self._inverses is None else sum(half.nbytes for half in self._inverses)
        return self.A.nbytes + self.G.nbytes + inverses

    def update(self, inputs: Tensor, gradients: Tensor, beta: float = 0.95) -> Self:
        """Take a batch into both moving averages.

        Parameters
        ----------
        inputs : tensor, shape (k, inputs)
            One a row.
        gradients : tensor, shape (k, outputs)
            Of the loss of each row by itself, not of its mean.
        beta : float
            What is left of the statistics.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As `LowBitState.update`, and for rows of which there are not as many; both statistics are then as
            they were.

        Examples
        --------
        >>> KroneckerPair(1, 1).update(torch.full((4, 1), 3.0), torch.ones(4, 1), beta=0.0).A.half()
        tensor([9.])
        """
        for name, rows, n in (("inputs", inputs, self.A.n), ("gradients", gradients, self.G.n)):
            check_real(rows, name)
            check_constant(rows, name)
            if rows.ndim != 2 or rows.shape[1] != n:
                raise ValueError(f"{name} has shape {tuple(rows.shape)}, and must have rows, (k, {n})")
        if len(inputs) != len(gradients):
            raise ValueError(
                f"inputs has {len(inputs)} rows and gradients {len(gradients)}: one of each for every example"
            )
        self._take(
            copy(statistic).update(factor=rows.mT / math.sqrt(max(len(rows), 1)), beta=beta)
            for statistic, rows in ((self.A, inputs), (self.G, gradients))
        )
        return self

    def _take(self, changed: Iterable[LowBitState]) -> None:
        """Let A and G be what copies of them have become, none of which has then raised."""
        for own, other in zip((self.A, self.G), tuple(changed), strict=True):
            vars(own).update(vars(other))

    def refresh(self, damping: float = 1e-3) -> Self:
        """Find the inverses of ``A + pi sqrt(damping) I`` and ``G + sqrt(damping) / pi I``.

        Parameters
        ----------
        damping : float
            Of the Fisher matrix.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For damping that is not positive.

        Notes
        -----
        pi^2 is the mean eigenvalue of A over that of G (section 6.3 of the paper), or 1 where one is zero.

        Examples
        --------
        >>> KroneckerPair(1, 1).update(torch.ones(1, 1), torch.ones(1, 1), 0.0).refresh(1.0).A.n
        1
        """
        damping = as_number("damping", damping, 0, FINITE, open_below=True)
        means = [float(statistic.expand().trace()) / max(statistic.n, 1) for statistic in (self.A, self.G)]
        pi = math.sqrt(means[0] / means[1]) if min(means) > 0 else 1.0
        shift = math.sqrt(damping)
        self._inverses = (
            self.A.root(1, pi * shift, relative=False),
            self.G.root(1, shift / pi, relative=False),
        )
        return self

    def precondition(self, gradient: Tensor) -> Tensor:
        """``G^-1 gradient A^-1``, damped as at the last `refresh`.

        Parameters
        ----------
        gradient : tensor, shape (outputs, inputs)
            Of the weight.

        Returns
        -------
        tensor, shape (outputs, inputs)

        Raises
        ------
        ValueError
            Before the first `refresh`.

        Examples
        --------
        >>> KroneckerPair(2, 3).refresh().precondition(torch.ones(3, 2)).shape
        torch.Size([3, 2])
        """
        if self._inverses is None:
            raise ValueError("there are no inverses yet: call refresh(damping) first")
        check_tensor(gradient, "gradient")
        check_inexact(gradient, "gradient")
        check_shape(gradient, (self.G.n, self.A.n), "gradient")
        A, G = (expand(half).to(gradient) for half in self._inverses)
        with as_it_is(gradient):
            return G @ gradient @ A

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values, which `torch.load` takes with ``weights_only=True``.

        Returns
        -------
        dict

        Examples
        --------
        >>> sorted(KroneckerPair(2, 3).state_dict())
        ['A', 'G', 'inverses']
        """
        return {"A": self.A.state_dict(), "G": self.G.state_dict(), "inverses": self._inverses}

    def load_state_dict(self, state: dict[str, Any]) -> Self:
        """Take what `state_dict` gave, in tensors of its own.

        Parameters
        ----------
        state : dict
            Of a pair made with the same options.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Where sides, encodings or domains differ.

        Examples
        --------
        >>> KroneckerPair(2, 3).load_state_dict(KroneckerPair(2, 3).refresh().state_dict()).nbytes
        36
        """
        check_entries(state, ("A", "G", "inverses"), type(self).__name__)
        halves = state["inverses"]
        if halves is not None:
            if not isinstance(halves, tuple | list) or len(halves) != 2:
                raise TypeError(f"inverses must be two halves or None, not {short(halves)}")
            for name, half, n in zip(("A", "G"), halves, (self.A.n, self.G.n), strict=True):
                check_real(half, f"the inverse of {name}")
                check_shape(half, (n * (n + 1) // 2,), f"the inverse of {name}")
        self._take(copy(own).load_state_dict(state[name]) for name, own in (("A", self.A), ("G", self.G)))
        self._inverses = (
            None if halves is None else tuple(half.to(self.A.device, copy=True) for half in halves)
        )
        return self


class Eigenbasis:
    """A statistic, and a basis that follows its eigenvectors: a side of SOAP (Vyas et al., arXiv 2409.11321).

    Parameters
    ----------
    n : int
        Side of the matrix.
    encoding : str, optional
        Of the statistic, as for `LowBitState`; the basis, which is not symmetric, is an n x n square.
    **options
        Others of `LowBitState`.

    Attributes
    ----------
    statistic : LowBitState
        SOAP's GG.
    vectors : tensor, shape (n, n), or None
        The basis as columns, largest eigenvalues first; None before the first `refresh`.
    order : tensor, shape (n,), or None
        Where each column was before the last `refresh`: what is held in its coordinates, as SOAP's squares,
        is to be put in this order too.

    Examples
    --------
    >>> basis = Eigenbasis(2).update(torch.tensor([[2.0, 1.0], [2.0, -1.0]]), beta=0.0).refresh()
    >>> basis.turn(torch.tensor([1.0, 1.0])).abs().round(decimals=3)
    tensor([1.4140, 0.0000])
    """

    def __init__(self, n: int, encoding: str | None = None, **options: Any) -> None:
        self.statistic = LowBitState(n, encoding, **options)
        self.vectors: Tensor | None = None
        self.order: Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of statistic and basis."""
        return self.statistic.nbytes + (0 if self.vectors is None else self.vectors.nbytes)

    def update(self, factor: Tensor, beta: float = 0.95) -> Self:
        """``S <- beta S + (1 - beta) factor factor'``.

        Parameters
        ----------
        factor : tensor, shape (n, k)
            The gradient, this mode first.
        beta : float
            What is left of S.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As `LowBitState.update`.

        Examples
        --------
        >>> Eigenbasis(1).update(torch.tensor([[3.0]]), 0.0).statistic.half()
        tensor([9.])
        """
        self.statistic.update(factor=factor, beta=beta)
        return self

    def refresh(self) -> Self:
        """Turn the basis: by eigenvectors at first, then by one step of the power method and its QR.

        Returns
        -------
        self

        Notes
        -----
        Before, columns are put in the order of ``diag(Q' S Q)``, largest first, in which the QR keeps them.

        Examples
        --------
        >>> Eigenbasis(2).update(torch.tensor([[1.0], [0.0]])).refresh().vectors.abs()
        tensor([[1., 0.],
                [0., 1.]])
        """
        S = self.statistic.expand()
        if self.vectors is None:
            self.vectors = torch.linalg.eigh(S)[1].flip(-1)
            self.order = torch.arange(self.statistic.n, device=S.device)
            return self
        with as_it_is(S):
            image = S @ self.vectors
        self.order = (self.vectors * image).sum(dim=0).argsort(descending=True, stable=True)
        self.vectors = torch.linalg.qr(image[:, self.order])[0]
        return self

    def turn(self, x: Tensor, mode: int = 0) -> Tensor:
        """One mode of a tensor in coordinates of the basis.

        Parameters
        ----------
        x : tensor, shape (..., n, ...)
            A gradient.
        mode : int
            Which of its axes has n.

        Returns
        -------
        tensor, of the shape of x

        Raises
        ------
        ValueError
            Before the first `refresh`.

        Examples
        --------
        >>> Eigenbasis(2).update(torch.tensor([[0.0], [1.0]])).refresh().turn(torch.tensor([3.0, 4.0])).abs()
        tensor([4., 3.])
        """
        return self._along(x, mode, 0)

    def back(self, x: Tensor, mode: int = 0) -> Tensor:
        """What `turn` undoes.

        Parameters
        ----------
        x : tensor, shape (..., n, ...)
            In coordinates of the basis.
        mode : int
            Which of its axes has n.

        Returns
        -------
        tensor, of the shape of x

        Raises
        ------
        ValueError
            Before the first `refresh`.

        Examples
        --------
        >>> basis = Eigenbasis(2).update(torch.ones(2, 1)).refresh()
        >>> basis.back(basis.turn(torch.tensor([3.0, 4.0]))).round(decimals=4)
        tensor([3., 4.])
        """
        return self._along(x, mode, 1)

    def _along(self, x: Tensor, mode: int, axis: int) -> Tensor:
        if self.vectors is None:
            raise ValueError("there is no basis yet: call refresh() first")
        check_tensor(x, "x")
        check_inexact(x, "x")
        n, mode = self.statistic.n, as_integer("mode", mode)
        if not -x.ndim <= mode < x.ndim or x.shape[mode] != n:
            raise ValueError(f"x has shape {tuple(x.shape)}, and axis {mode} must be there and have {n}")
        with as_it_is(x):
            return torch.tensordot(self.vectors.to(x), x, dims=([axis], [mode])).movedim(0, mode)

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values, which `torch.load` takes with ``weights_only=True``.

        Returns
        -------
        dict

        Examples
        --------
        >>> sorted(Eigenbasis(2).state_dict())
        ['order', 'statistic', 'vectors']
        """
        return {"statistic": self.statistic.state_dict(), "vectors": self.vectors, "order": self.order}

    def load_state_dict(self, state: dict[str, Any]) -> Self:
        """Take what `state_dict` gave, in tensors of its own.

        Parameters
        ----------
        state : dict
            Of a basis made with the same options.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Where sides, encodings or domains differ.

        Examples
        --------
        >>> old = Eigenbasis(2).update(torch.ones(2, 1)).refresh()
        >>> Eigenbasis(2).load_state_dict(old.state_dict()).nbytes
        28
        """
        check_entries(state, ("statistic", "vectors", "order"), type(self).__name__)
        for name, axes in (("vectors", 2), ("order", 1)):
            if state[name] is not None:
                check_tensor(state[name], name)
                check_shape(state[name], (self.statistic.n,) * axes, name)
        self.statistic.load_state_dict(state["statistic"])
        self.vectors, self.order = (
            None if state[name] is None else state[name].to(self.statistic.device, copy=True)
            for name in ("vectors", "order")
        )
        return self
