"""Every name that a layout has, who uses it, and how that is known: the one place where a dialect is added."""

from __future__ import annotations

from typing import NamedTuple

from vech.layouts.layout import LAYOUTS, Layout
from vech.layouts.orders import ORDERS, Explicit

AnyLayout = Layout | Explicit


class Dialect(NamedTuple):
    """A layout under the name of its users."""

    name: str
    layout: str  # the canonical name
    library: str
    calls: str  # the functions that take or give it
    proof: str  # "runs" (a test calls the library), "recorded" (a test reads what it gave), "read: where"
    quirks: str = ""  # what hurts whoever does not know it
    kind: str = ""  # of its matrices, where they are not symmetric


PACKED_CALLS = "?trttp, ?tpttr, ?pptrf, ?spmv, ?hpmv, ?spr"
RFP_CALLS = "?trttf, ?tfttr, ?tpttf, ?tfttp, ?pftrf, ?sfrk, ?hfrk"
RFP_QUIRKS = "Odd and even n differ. Complex: TRANSR is N or C, and slots marked * hold conjugates."

# A row is one line, or two where it has more to mind.
# fmt: off
TABLE = (
    # arrays and statistics
    Dialect("numpy-tril", "numpy-tril", "NumPy", "A[np.tril_indices(n)]", "runs", "By rows, so not vech: it is LAPACK's uplo=U."),
    Dialect("numpy-triu", "numpy-triu", "NumPy", "A[np.triu_indices(n)]", "runs", "k=1 leaves out the diagonal: strict-triu."),
    Dialect("scipy-condensed", "strict-triu", "SciPy", "spatial.distance: squareform, pdist; cluster.hierarchy.linkage", "runs",
            "linkage takes a square, or a store, for points: S.to_condensed(). checks=False: the upper triangle."),
    Dialect("statsmodels-vech", "vech", "statsmodels", "tsa.tsatools: vech, unvech", "runs",
            "vech checks neither shape nor symmetry; unvech gives float64 and drops imaginary parts."),
    Dialect("torch-tril", "numpy-tril", "PyTorch", "tril_indices; distributions.utils: vec_to_tril_matrix, tril_matrix_to_vec", "recorded",
            "vec_to_tril_matrix gives the triangle; diag=-1 is strict-tril, but nn.functional.pdist strict-triu."),
    Dialect("torch-triu", "numpy-triu", "PyTorch", "triu_indices", "recorded"),
    Dialect("asdl-tril", "numpy-tril", "ASDL", "symmatrix: matrix_to_tril, tril_to_matrix, SymMatrix", "recorded"),
    Dialect("heavyball-line", "numpy-triu", "HeavyBall", "utils: triu_to_line, line_to_triu; PSGDKron(store_triu_as_line=True)", "recorded",
            kind="triangular"),
    Dialect("meta-shampoo-packed", "numpy-triu", "Meta distributed Shampoo", "pack_upper_triangular, unpack_upper_triangular; use_symmetric_packing=True",
            "read: facebookresearch/optimizers, distributed_shampoo/utils/shampoo_utils.py", "Believes the upper triangle."),
    Dialect("kfac-pytorch-triu", "numpy-triu", "kfac-pytorch", "distributed: get_triu, fill_triu; symmetry_aware=True",
            "read: gpauloski/kfac-pytorch, kfac/distributed.py", "Believes the upper triangle."),
    Dialect("pyro-numpyro-tril", "numpy-tril", "Pyro, NumPyro", "distributions.util.vec_to_tril_matrix", "recorded",
            kind="triangular"),
    Dialect("pymc-packed-lower", "numpy-tril", "PyMC", "math.expand_packed_triangular(lower=True), LKJCholeskyCov", "recorded",
            "1-d only.", kind="triangular"),
    Dialect("pymc-packed-upper", "numpy-triu", "PyMC", "math.expand_packed_triangular(lower=False)", "recorded",
            "By rows, as the lower one: of a symmetric matrix the two differ.", kind="triangular"),
    Dialect("tfp-fill-triangular-lower", "tfp-fill-triangular-lower", "TensorFlow Probability", "math.fill_triangular; bijectors: FillTriangular, FillScaleTriL",
            "runs", "fill_triangular_inverse adds both triangles: of a symmetric matrix, wrong numbers and no error.", kind="triangular"),
    Dialect("tfp-fill-triangular-upper", "tfp-fill-triangular-upper", "TensorFlow Probability",
            "math.fill_triangular, bijectors.FillTriangular, upper=True", "runs", "Not the transpose of the lower one.", kind="triangular"),
    Dialect("geomstats-symmetric", "numpy-triu", "geomstats", "SymmetricMatrices: basis_representation, matrix_representation", "recorded",
            "Believes the upper triangle. Norms are not kept."),
    Dialect("geomstats-skew", "strict-triu", "geomstats", "SkewSymmetricMatrices.basis_representation", "recorded",
            "n = 3 gives the axial vector (-a[1, 2], a[0, 2], -a[0, 1]) instead.", kind="skew"),
    # BLAS and LAPACK
    Dialect("lapack-upper", "lapack-upper", "LAPACK packed, uplo=U", PACKED_CALLS, "runs",
            "Used with lower=1 it gives wrong products and no error. Hermitian: numpy-tril holds the conjugates."),
    Dialect("lapack-lower", "vech", "LAPACK packed, uplo=L", PACKED_CALLS, "runs", "Hermitian: numpy-triu holds the conjugates."),
    Dialect("cblas-row-upper", "numpy-triu", "CBLAS, LAPACKE", "cblas_?spmv(CblasRowMajor, CblasUpper)", "runs",
            "Row-major upper is what Fortran calls lower."),
    Dialect("cblas-row-lower", "numpy-tril", "CBLAS, LAPACKE", "cblas_?spmv(CblasRowMajor, CblasLower)", "runs",
            "Row-major lower is what Fortran calls upper."),
    Dialect("lapack-rfp-nu", "lapack-rfp-nu", "LAPACK RFP, TRANSR=N UPLO=U", RFP_CALLS, "runs", RFP_QUIRKS),
    Dialect("lapack-rfp-nl", "lapack-rfp-nl", "LAPACK RFP, TRANSR=N UPLO=L", RFP_CALLS, "runs", RFP_QUIRKS),
    Dialect("lapack-rfp-tu", "lapack-rfp-tu", "LAPACK RFP, TRANSR=T UPLO=U", RFP_CALLS, "runs", RFP_QUIRKS),
    Dialect("lapack-rfp-tl", "lapack-rfp-tl", "LAPACK RFP, TRANSR=T UPLO=L", RFP_CALLS, "runs", RFP_QUIRKS),
    # optimisation
    Dialect("scs-psd", "svec-lower", "SCS", "cone 's'", "runs",
            "Clarabel's order is taken without an error: another problem gets solved."),
    Dialect("clarabel-psd", "svec-upper", "Clarabel", "PSDTriangleConeT(n)", "runs",
            "SCS's order is taken without an error: another problem gets solved."),
    Dialect("cvxpy-upper-tri", "strict-triu", "CVXPY", "upper_tri, vec_to_upper_tri(strict=True)", "runs",
            "Without strict=True, 6 numbers go back to 3 x 3, not 4 x 4. upper_tri gives a (k, 1) column."),
    Dialect("cvxpy-vec-to-upper-tri", "numpy-triu", "CVXPY", "vec_to_upper_tri", "runs", kind="triangular"),
    Dialect("cvxpy-solver-svec", "svec-lower", "CVXPY internals", "utilities.psd_utils: psd_format_mat, tri_to_full", "runs",
            "This for SCS, svec-upper for Clarabel, vech for MOSEK and COPT. Averages the triangles."),
    Dialect("cvxopt-pack", "svec-lower", "CVXOPT", "misc.pack, misc.unpack", "runs",
            "conelp reads only the lower triangle of a full 's' block; unpack leaves the upper one zero."),
    Dialect("picos-svec", "svec-upper", "PICOS", "expression.svec", "runs"),
    Dialect("picos-trilvec", "vech", "PICOS", "expression.trilvec", "runs", "svec and triuvec of the same library grow."),
    Dialect("picos-triuvec", "lapack-upper", "PICOS", "expression.triuvec", "runs"),
    Dialect("picos-skew", "picos-skew", "PICOS", "SkewSymmetricVariable, internal value", "runs", kind="skew"),
    Dialect("mosek-svec", "svec-lower", "MOSEK", "appendsvecpsdconedomain, Domain.inSVecPSDCone",
            "read: Pyomo docs of svec_psdcone; MosekTools.jl src/scaled_psd_cone_bridge.jl", "MOSEK's bar variables are not scaled: mosek-barvar."),
    Dialect("mosek-barvar", "vech", "MOSEK", "appendsparsesymmat, putbaraij, getbarxj", "read: cvxpy mosek_conif.py (triangle LOWER, no sqrt2)",
            "MOSEK's svec cone is scaled: mosek-svec."),
    Dialect("moi-psd-triangle", "lapack-upper", "MathOptInterface, JuMP", "PositiveSemidefiniteConeTriangle, triangle_vec",
            "read: MathOptInterface.jl src/sets.jl; JuMP doctest of triangle_vec", "Not scaled, but its scalar product counts numbers off the diagonal twice."),
    Dialect("moi-scaled-psd", "svec-upper", "MathOptInterface", "Scaled(PositiveSemidefiniteConeTriangle)",
            "read: jump-dev/MathOptInterface.jl, whose file reader names both", "The scale was not verified."),
    Dialect("cosmo-psd-triangle", "svec-upper", "COSMO.jl", "PsdConeTriangle", "read: oxfordcontrol/COSMO.jl issue 66",
            "The scale was not verified."),
    Dialect("julia-symmetricformats", "lapack-upper", "SymmetricFormats.jl", "SymmetricPacked(A)",
            "read: JaneliaSciComp/SymmetricFormats.jl README.md", "SymmetricPacked(A, :L) is vech."),
    # machine learning
    Dialect("spark-packed-upper", "lapack-upper", "Apache Spark MLlib", "BLAS.spr, BLAS.dspmv, CholeskyDecomposition", "recorded",
            "The sums inside RowMatrix.computeGramianMatrix and WeightedLeastSquares, which give full matrices."),
    # neuroimaging
    Dialect("nilearn-sym-vec", "nilearn-sym-vec", "nilearn", "connectome: sym_matrix_to_vec, vec_to_sym_matrix", "runs",
            "Norms are pyRiemann's / sqrt(2). Gives float64, takes 2 x 3; drops imaginary parts on the way back."),
    Dialect("nilearn-sym-vec-nodiag", "strict-tril", "nilearn", "connectome.sym_matrix_to_vec(discard_diagonal=True)", "runs",
            "Not squareform's order. Way back: diagonal=d / sqrt(2); without diagonal=, 6 numbers become 3 x 3."),
    Dialect("pyriemann-upper", "pyriemann-upper", "pyRiemann", "tangentspace: upper, unupper", "runs",
            "A vector of nilearn gives a wrong matrix and no error. Believes the upper triangle."),
    Dialect("dipy-lower", "numpy-tril", "DIPY", "reconst.dti: lower_triangular, from_lower_triangular", "runs",
            "n = 3 only. Files of dipy_fit_dti before 1.0 are fsl-dtifit."),
    Dialect("nifti-symmatrix", "numpy-tril", "NIfTI-1: ANTs, DTITK", "NIFTI_INTENT_SYMMATRIX, 1005", "recorded",
            "The order of the file; ITK reorders to itk-symmetric-tensor when it reads."),
    Dialect("itk-symmetric-tensor", "numpy-triu", "ITK, ANTs in memory", "SymmetricSecondRankTensor, DiffusionTensor3D", "recorded",
            "n = 2, 3, 4. The NIfTI file holds nifti-symmatrix: ITK reorders."),
    Dialect("fsl-dtifit", "numpy-triu", "FSL", "dtifit --save_tensor", "read: dipy issues 1133, 2673; DIPY converts from it so",
            "n = 3 only. Not NIfTI's intent 1005: nifti-symmatrix. FSL itself was not run."),
    Dialect("mrtrix-dwi2tensor", "abaqus-voigt-stress", "MRtrix3", "dwi2tensor", "recorded"),
    # chemistry and physics
    Dialect("pyscf-tril", "numpy-tril", "PySCF", "lib.pack_tril, lib.unpack_tril", "runs",
            "Complex is Hermitian. unpack_tril reads past a half too short; batches are float64, complex128."),
    Dialect("gaussian-fchk", "numpy-tril", "Gaussian .fchk", "'Total SCF Density', 'Cartesian Force Constants'", "runs"),
    Dialect("root-smatrix-sym", "numpy-tril", "ROOT SMatrix", "MatRepSym, SMatrixSym*::Array", "read: ROOT SMatrix header text"),
    Dialect("lcio-trackstate", "numpy-tril", "LCIO, EDM4hep", "TrackState::getCovMatrix", "read: a DDMarlin/Gaudi converter indexing 0,2,5,9,14 as diagonal",
            "Parameters are d0 phi omega z0 tanLambda; other programs order them otherwise."),
    # mechanics
    Dialect("voigt-stress", "voigt-stress", "ASE, pymatgen", "stress: full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress; Stress.voigt", "runs",
            "ASE averages the triangles, takes 4 x 4; pymatgen warns and believes the lower one."),
    Dialect("voigt-strain", "voigt-strain", "pymatgen, mechkit", "Strain: voigt, from_voigt; ExplicitConverter, quantity='strain'", "runs",
            "Not ASE's strain, with its identity added. mechkit cuts the factors off integers: pass floats."),
    Dialect("mandel", "mandel", "mechkit (Mandel, Kelvin)", "notation.Converter: to_mandel6, to_tensor", "runs",
            "Averages the triangles; 6 x 6 is a fourth-order tensor."),
    Dialect("vtk-symmetric-tensor", "vtk-symmetric-tensor", "VTK, ParaView", "vtkTensorGlyph, vtkTensorPrincipalInvariants", "recorded",
            "Any 6 components are taken for it. VASP, felupe ('Voigt') and mechkit ('vumat') have it too."),
    Dialect("abaqus-voigt", "abaqus-voigt-stress", "simcoon", "t2v_stress, v2t_stress", "runs",
            "simcoon documents voigt-stress and gives this. Manuals of Abaqus and LAMMPS were not read."),
    Dialect("abaqus-voigt-strain", "abaqus-voigt-strain", "simcoon, mechkit", "t2v_strain, v2t_strain; ExplicitConverter (umat)", "runs",
            "As abaqus-voigt."),
    Dialect("openfoam-symmtensor", "numpy-triu", "OpenFOAM", "SymmTensor", "recorded",
            "n = 3 only. ParaView labels 6 numbers in another order: vtk-symmetric-tensor."),
    Dialect("tensortrax-triu", "numpy-triu", "tensortrax", "math.special: triu_1d, from_triu_1d", "runs",
            "from_triu_1d: n <= 3 only."),
    Dialect("tensors-jl", "vech", "Tensors.jl", "SymmetricTensor, its data", "read: Ferrite-FEM/Ferrite.jl PR 383"),
    # crystallography
    Dialect("pdb-anisou", "abaqus-voigt-stress", "PDB ANISOU, gemmi", "SMat33.elements_pdb", "runs",
            "Files hold integers: times 10^4. elements_voigt is voigt-stress."),
    Dialect("shelx-uij", "voigt-stress", "SHELX .ins, .res", "U11 U22 U33 U23 U13 U12", "read: several SHELX parsers",
            "The last three are reversed in CIF and PDB: pdb-anisou."),
    # graphics
    Dialect("gaussian-splatting-cov3d", "numpy-triu", "3D Gaussian Splatting", "strip_symmetric, strip_lowerdiag",
            "read: utils/general_utils.py copies of the original project", "n = 3 only. strip_lowerdiag takes the upper triangle."),
    # robotics and space
    Dialect("g2o-information", "numpy-triu", "g2o .g2o", "EDGE_SE2, EDGE_SE3:QUAT", "read: gtsam/slam/dataset.h; gtsam PR 1310",
            "Information, not covariance. Translation before rotation; GTSAM has them the other way round."),
    Dialect("toro-information", "toro-information", "TORO .graph", "EDGE2", "read: gtsam/slam/dataset.h; AprilSAM issue 3",
            "The older GRAPH has this order too, but holds covariance."),
    Dialect("mavlink-urt", "numpy-triu", "MAVLink", "ODOMETRY.pose_covariance, VISION_POSITION_ESTIMATE.covariance",
            "read: MAVLink message text in generated sources", "NaN as first number: unknown."),
    Dialect("ccsds-cov", "numpy-tril", "CCSDS CDM, OEM", "CX_X CY_X CY_Y ...",
            "read: Orekit documentation of CDM XYZCovariance; the order of its key names", "Files are in km; some readers change to m."),
    # R, Octave, SAS
    Dialect("r-vech", "vech", "R: matrixcalc, OpenMx, lavaan, MCMCpack, mixmeta, gmvarkit", "vech, xpnd, lav_matrix_vech, vechMat", "recorded",
            "Believes the lower triangle. vechs and lav_matrix_vech(diagonal=FALSE) are condensed."),
    Dialect("lavaan-vechr", "numpy-tril", "R lavaan", "lav_matrix_vechr", "recorded", "Believes the lower triangle."),
    Dialect("lavaan-vechu", "lapack-upper", "R lavaan", "lav_matrix_vechu", "recorded", "Believes the upper triangle."),
    Dialect("lavaan-vechru", "numpy-triu", "R lavaan", "lav_matrix_vechru", "recorded", "Believes the upper triangle."),
    Dialect("r-dist", "condensed", "R stats", "dist, as.dist, hclust", "recorded",
            "as.dist believes the lower triangle. Its Diag and Upper change only what is printed."),
    Dialect("r-matrix-dsp", "lapack-upper", "R Matrix", "dspMatrix, dppMatrix, uplo='U'", "recorded", "uplo='L' is lapack-lower."),
    Dialect("octave-vech", "vech", "GNU Octave", "vech", "recorded",
            "Believes the lower triangle. squareform of the statistics package is condensed."),
    Dialect("sas-vech", "vech", "SAS/IML", "VECH, SQRVECH", "read: SAS/IML language reference",
            "SYMSQR goes the other way: sas-symsqr."),
    Dialect("sas-symsqr", "numpy-tril", "SAS/IML", "SYMSQR, SQRSYM", "read: SAS/IML language reference of VECH; SAS community thread",
            "VECH goes the other way: sas-vech."),
    # genomics, biology and other files
    Dialect("gcta-grm-bin", "numpy-tril", "GCTA, PLINK .grm.bin", "--make-grm-bin; pandas_plink.read_grm", "recorded",
            "float32, little-endian; n is in .grm.id alone. Some programs write float64 under this name."),
    Dialect("plink-rel-triangle", "numpy-tril", "PLINK", "--make-rel bin triangle", "recorded",
            "float64, little-endian. bin without a shape is the full square. pandas-plink cannot read it."),
    Dialect("plink-rel4-triangle", "numpy-tril", "PLINK", "--make-rel bin4 triangle", "recorded",
            "float32, little-endian. bin4 without a shape is the full square. pandas-plink cannot read it."),
    Dialect("plink-king-triangle", "strict-tril", "PLINK 2", "--make-king bin triangle", "recorded",
            "No diagonal, unlike --make-rel. bin without a shape is the full square, with 0.5 on it."),
    Dialect("plink-dist-triangle", "strict-tril", "PLINK 1.9", "--distance bin triangle", "recorded",
            "No diagonal, unlike --make-rel. bin without a shape is the square; bin4 square has a wrong diagonal."),
    Dialect("plink-r2-triangle", "numpy-tril", "PLINK 1.9", "--r2 bin triangle", "recorded",
            "float64; the diagonal is stored. bin without a shape is the full square."),
    Dialect("phylip-lower", "strict-tril", "PHYLIP, scikit-bio", "DistanceMatrix: read, write (phylip_dm)", "runs",
            "From n = 4 on not squareform's order; condensed_form is."),
    Dialect("biopython-lower", "numpy-tril", "Biopython", "Phylo.TreeConstruction.DistanceMatrix", "runs",
            "Nested lists: join them. The diagonal is always set to zero."),
    Dialect("matrixmarket-array-symmetric", "vech", "Matrix Market arrays", "scipy.io: mmread, mmwrite", "runs",
            'mmwrite(symmetry="symmetric") writes the lower triangle of anything.'),
    Dialect("matrixmarket-array-skew", "condensed", "Matrix Market skew arrays", "scipy.io: mmread, mmwrite", "runs", kind="skew"),
)
# fmt: on

#: The layout behind each name: canonical names first, then those that libraries, programs and files have.
DIALECTS: dict[str, AnyLayout] = {**LAYOUTS, **ORDERS}
CANONICAL = tuple(DIALECTS)
DIALECTS |= {dialect.name: DIALECTS[dialect.layout] for dialect in TABLE}


def as_layout(layout: str | AnyLayout) -> AnyLayout:
    """The layout of that name; a layout is returned as it is.

    Parameters
    ----------
    layout : str or layout
        A name of `DIALECTS`, or a layout.

    Returns
    -------
    Layout, RectangularFullPacked, Spiral or TensorOrder

    Raises
    ------
    ValueError
        For an unknown name; the nearest names are given, also for the name of a library or of its function.
    TypeError
        For anything but a name or a layout.

    Examples
    --------
    >>> as_layout("numpy-triu")
    Layout('upper', 'rows')
    >>> as_layout("squareform")
    Traceback (most recent call last):
    ValueError: unknown layout 'squareform': did you mean 'scipy-condensed'?
    """
    if isinstance(layout, str):
        if layout not in DIALECTS:
            raise ValueError(f"unknown layout {layout!r}: {_hint(layout.lower())}")
        return DIALECTS[layout]
    if isinstance(layout, AnyLayout):
        return layout
    raise TypeError(f"a layout is a name such as 'vech', or a Layout, not {type(layout).__name__}")


SEVERAL = {
    "voigt": "it is three orders. After xx yy zz, 'voigt-stress' has yz xz xy, 'vtk-symmetric-tensor' xy yz xz, "
    "'abaqus-voigt-stress' xy xz yz",
    "lower": "it is two orders of the lower triangle: 'numpy-tril' goes by rows, 'vech', which is "
    "'lapack-lower', by columns",
    **dict.fromkeys(
        ("vechs", "vecl"), "it is 'condensed', the lower triangle by columns without its diagonal"
    ),
    "upper": "it is two orders of the upper triangle: 'numpy-triu' goes by rows, 'lapack-upper' by columns",
}
CLOSER, CLOSE = 0.8, 0.7  # of difflib: 'vec' is closer to 'vech', 'vecg' close, 'matlab' to none


def _hint(word: str) -> str:
    import difflib  # a millisecond that only errors need to spend

    word = word.replace("_", "-").replace(" ", "-")
    if word in DIALECTS:
        return f"did you mean {word!r}?"
    if said := SEVERAL.get(word.removesuffix("-triangle").removesuffix("-triangular")):
        return said
    close = [difflib.get_close_matches(word, DIALECTS, n=3, cutoff=cutoff) for cutoff in (CLOSER, CLOSE)]
    near = close[0] or _by_words(word) or close[1]
    if near:
        return f"did you mean {' or '.join(map(repr, near[:5]))}?"
    return f"choose from {', '.join(LAYOUTS)}, or another of vech.DIALECTS (vech dialects)"


def _by_words(said: str) -> list[str]:
    """The names in which, or in whose library and calls, all of its words are; names of few words first."""
    wanted = _words(said)
    if max(map(len, wanted), default=0) < 3:
        return []
    names = {name: _words(name) for name in DIALECTS}
    texts = {row.name: names[row.name] | _words(f"{row.library} {row.calls}") for row in TABLE}
    short_first = sorted(names, key=lambda name: len(name.split("-")))
    for words in (names, names | texts):
        if near := [name for name in short_first if wanted <= words[name]]:
            return near
    return [name for name in short_first if all(any(w.startswith(x) for w in names[name]) for x in wanted)]


def _words(text: str) -> set[str]:
    """The words of a text, and "lower" for "tril" and "upper" for "triu"."""
    found = set("".join(c if c.isalnum() else " " for c in text.lower()).split())
    return found | {long for short, long in (("tril", "lower"), ("triu", "upper")) if short in found}
