"""Second-order optimizers: factors that are held, saved or sent."""

import numpy as np

from evidence import Evidence, asks, labelled, numbered


@asks("heavyball")
def heavyball():
    import torch
    from heavyball.utils import line_to_triu, triu_to_line

    for dtype in ("f4", "f8"):
        for n in (4, 5):
            matrix, half = labelled(n, dtype), numbered(n * (n + 1) // 2, dtype)
            ((_, line),) = triu_to_line([torch.from_numpy(matrix)[None]])
            (full,) = line_to_triu([((1, n, n), torch.from_numpy(half)[None])])
            yield Evidence("heavyball-line", "packs", "triangular", np.triu(matrix), line[0].numpy())
            yield Evidence("heavyball-line", "expands", "triangular", half, full[0].numpy())


@asks("asdfghjkl")
def asdl():
    import torch
    from asdl.symmatrix import matrix_to_tril, tril_to_matrix

    for dtype in ("f4", "f8"):
        for n in (4, 5):
            matrix, half = labelled(n, dtype), numbered(n * (n + 1) // 2, dtype)
            tril = matrix_to_tril(torch.from_numpy(matrix)).numpy()
            full = tril_to_matrix(torch.from_numpy(half)).numpy()
            yield Evidence("asdl-tril", "packs", "symmetric", matrix, tril)
            yield Evidence("asdl-tril", "expands", "symmetric", half, full)
