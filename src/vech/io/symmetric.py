"""The lower half of a whole sparse matrix, after a check that its values and positions are symmetric."""

from typing import Any

from vech.sparse import SparseHalf


def sparse_half(matrix: Any, kind: str | None) -> SparseHalf:
    """Keep the lower triangle of a sparse matrix, as use="both" says; one of coordinates may have any side."""
    if matrix.format == "coo" and matrix.shape[0] == matrix.shape[1]:
        return SparseHalf.from_coo(matrix.row, matrix.col, matrix.data, matrix.shape[0], kind=kind)
    return SparseHalf.from_sparse(matrix, kind=kind)
