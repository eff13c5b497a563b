"""What other libraries call it: the one table behind AttributeErrors and, by its test, docs/coming-from.md."""

# what is asked of `vech`, and the calls that do it
FUNCTIONS = {
    "vech": "vech.pack(matrix)",
    "half_vectorize": "vech.pack(matrix)",
    "unvech": "vech.expand(half)",
    "invvech": "vech.expand(half)",
    "ivech": "vech.expand(half)",
    "xpnd": "vech.expand(half)",
    "vech2mat": "vech.expand(half)",
    "unpack": "vech.expand(half, layout)",
    "full": "vech.expand(half, layout)",
    "to_dense": "vech.expand(half, layout)",
    "todense": "vech.expand(half, layout)",
    "toarray": "vech.expand(half, layout)",
    "squareform": "vech.expand(half, 'condensed'), or vech.pack(matrix, 'condensed') for the way back",
    "condensed": "vech.pack(matrix, 'condensed')",
    "svec": "vech.pack(matrix, 'svec-lower') or vech.pack(matrix, 'svec-upper')",
    "smat": "vech.expand(half, 'svec-lower') or vech.expand(half, 'svec-upper')",
    "triu": "vech.pack(matrix, 'numpy-triu')",
    "tril": "vech.pack(matrix, 'numpy-tril')",
    "pack_tril": "vech.pack(matrix, 'numpy-tril')",
    "unpack_tril": "vech.expand(half, 'numpy-tril')",
    "trttp": "vech.pack(matrix, 'lapack-lower') or vech.pack(matrix, 'lapack-upper')",
    "tpttr": "vech.expand(half, 'lapack-lower') or vech.expand(half, 'lapack-upper')",
    "fill_triangular": "vech.expand(half, 'tfp-fill-triangular-lower', kind='triangular') or "
    "vech.expand(half, 'tfp-fill-triangular-upper', kind='triangular')",
    "sym_matrix_to_vec": "vech.pack(matrix, 'nilearn-sym-vec')",
    "vec_to_sym_matrix": "vech.expand(half, 'nilearn-sym-vec')",
    "coo": "vech.to_coo(half)",
    "csr": "vech.to_csr(half)",
    "csc": "vech.to_csc(half)",
    "load": "vech.read(path)",
    "save": "vech.write(path, store)",
}

# what is asked of a store S, or of what `packed` makes of it
METHODS = {
    **dict.fromkeys(("toarray", "todense", "to_dense", "to_numpy", "A"), "S.expand()"),
    **{f"to{name}": f"S.to_{name}()" for name in ("csr", "csc", "coo")},
    "dot": "S @ x",
    "transpose": "S.T",
    "getH": "S.H",
    "inv": "vech.linalg.inverse({packed})",
    "solve": "vech.linalg.solve(S, b)",
    "det": "vech.linalg.slogdet(S)",
    "norm": "vech.linalg.norm(S)",
    "cholesky": "vech.linalg.cholesky({packed})",
    **dict.fromkeys(("eigh", "eigvalsh"), "vech.linalg.eigh({packed})"),
}
