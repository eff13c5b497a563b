"""A symmetric matrix as tensors that a checkpoint takes: a half in floats, or codes of few bits."""

from __future__ import annotations

import math
from typing import Any, Self

import torch
from torch import Tensor

from vech.adapters.torch.checks import as_number, check_entries, check_real, check_shape, check_tensor
from vech.adapters.torch.moves import expand, pack
from vech.layouts.layout import as_side
from vech.packed.packed import Packed
from vech.quantized.encodings import as_encoding
from vech.quantized.parts import as_tile
from vech.quantized.quantizing import quantize
from vech.quantized.store import Quantized

FLOATS = "float32"
SMALL = 64 * 64  # numbers of a full matrix, below which 4-bit Shampoo keeps float32
PARTS = ("half", "codes", "diagonal", "scales")  # of floats the first, else the others
LAYOUT = "numpy-tril"  # of halves that become codes, whose tiles are read along rows


def resolved(encoding: str | None, n: int, smallest: int = SMALL) -> str:
    """The encoding that a matrix of side n gets."""
    least = as_number("smallest", smallest, 0, math.inf)
    is_float = encoding is None or (isinstance(encoding, str) and encoding == FLOATS)
    name = FLOATS if is_float else as_encoding(encoding).name
    return FLOATS if n * n < max(least, 1) else name


class Held:
    """A symmetric matrix of side n, which is replaced and not changed.

    Parameters
    ----------
    tensors : dict of tensors
        ``half`` in the layout "vech", or ``codes``, ``diagonal``, ``scales``, and ``zeros`` and ``levels``
        of encodings that have them.
    n : int
        Side of the matrix.
    encoding : str
        "float32", or a key of `vech.ENCODINGS`.
    tile : int
        Rows and columns that have a scale.
    """

    def __init__(self, tensors: dict[str, Tensor], n: int, encoding: str, tile: int) -> None:
        self.tensors, self.n, self.encoding, self.tile = tensors, n, encoding, tile

    @classmethod
    def of(cls, square: Tensor, encoding: str, tile: int, *, semidefinite: bool = False) -> Self:
        """A matrix of which the lower triangle is read; codes of one that is semidefinite can be made so."""
        if encoding == FLOATS:
            return cls({"half": pack(square, use="lower")}, len(square), encoding, tile)
        half = pack(square, LAYOUT, use="lower").cpu().numpy()
        Q = quantize(Packed(half, LAYOUT), encoding, tile=tile)
        Q = Q.shift_to_psd() if semidefinite else Q
        parts = Q.to_parts()
        names = ("codes", "diagonal", "scales", "zeros", "levels")
        tensors = {name: torch.as_tensor(parts[name]) for name in names if parts[name] is not None}
        return cls(tensors, Q.n, encoding, tile).to(square.device)

    def store(self, domain: str = "entries") -> Quantized:
        """The codes as a store of vech, which on the CPU shares their memory."""
        arrays = {name: tensor.cpu().numpy() for name, tensor in self.tensors.items()}
        return Quantized.from_parts(self.n, self.encoding, tile=self.tile, domain=domain, **arrays)

    def square(self) -> Tensor:
        """The full matrix, as new memory."""
        if self.encoding == FLOATS:
            return expand(self.tensors["half"])
        return torch.from_numpy(self.store().expand()).to(self.device)

    @property
    def device(self) -> torch.device:
        """Where all tensors are."""
        return next(iter(self.tensors.values())).device

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.nbytes for tensor in self.tensors.values())

    def to(self, device: Any = None, dtype: torch.dtype | None = None) -> Self:
        """The same in another place, or with numbers in another dtype; codes and levels are never cast."""
        for name, tensor in self.tensors.items():
            number = tensor.is_floating_point() and name != "levels"
            self.tensors[name] = tensor.to(device, dtype if number else None)
        return self

    def clone(self) -> Self:
        """The same in tensors of its own."""
        copies = {name: tensor.clone() for name, tensor in self.tensors.items()}
        return type(self)(copies, self.n, self.encoding, self.tile)

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain numbers that say all of it."""
        return {"n": self.n, "encoding": self.encoding, "tile": self.tile, "tensors": dict(self.tensors)}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any], fits: tuple[int, str, int] | None = None) -> Self:
        """What `state_dict` gave, in tensors of its own, with what fits its side, encoding and tile."""
        what = "a held matrix"
        check_entries(state, ("n", "encoding", "tile", "tensors"), what)
        n, tile = as_side(state["n"]), as_tile(state["tile"])
        encoding = resolved(state["encoding"], n, 0)
        if fits is not None and (n, encoding, tile) != fits:
            raise ValueError(
                f"what is held has side, encoding and tile {(n, encoding, tile)}, and must have {fits}"
            )
        is_float = encoding == FLOATS
        check_entries(state["tensors"], PARTS[:1] if is_float else PARTS[1:], f"{what}, 'tensors',")
        for name, tensor in state["tensors"].items():
            check_tensor(tensor, str(name))
        found = cls(state["tensors"], n, encoding, tile).clone()
        if is_float:
            check_real(found.tensors["half"], "half")
            check_shape(found.tensors["half"], (n * (n + 1) // 2,), "half")
        else:
            found.store()  # says what does not fit
        return found
