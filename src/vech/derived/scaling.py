"""A matrix scaled from both sides by a diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vech import frames
from vech.arrays import as_array, family
from vech.store import Store


def scaled(S: Store, d: ArrayLike) -> Any:
    """D S D, of a d that fits and leaves the kind as it is."""
    frames.check_along(d, 0, S.labels, "d")
    d = as_array(d, "d")
    if d.shape != (S.n,):
        raise ValueError(
            f"d has shape {d.shape}, but S has {S.n} rows: it holds one number for each, ({S.n},)"
        )
    for what, dtype in (("S", S.dtype), ("d", d.dtype)):
        if family(dtype) in "mM":
            raise TypeError(f"{what} holds {dtype}, and dates are not multiplied: astype(float) first")
    if np.iscomplexobj(d) and family(S.dtype) != "c":
        raise TypeError("d is complex and S is real: S.astype(complex).scale(d) is D S D")
    if np.iscomplexobj(d) and S.kind in ("hermitian", "skew-hermitian"):
        raise TypeError(
            f"d is complex, so D S D is not {S.kind} as S is: S.to_packed().congruence(d) is D S D^H"
        )
    return S._scaled(d)
