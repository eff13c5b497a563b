"""Apache Spark, MLlib: its Gram matrices and normal equations add rows into a packed upper triangle."""

import numpy as np

from evidence import Evidence, asks, labelled, length

TO_FULL = "org$apache$spark$mllib$linalg$distributed$RowMatrix$$triuToFull"
"""What computeGramianMatrix calls with its packed sums: private to Scala, so by the name that Java sees."""


@asks("pyspark")
def pyspark():
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        java = session.sparkContext._gateway
        algebra = java.jvm.org.apache.spark.mllib.linalg

        def doubles(numbers):
            array = java.new_array(java.jvm.double, len(numbers))
            for k, number in enumerate(numbers):
                array[k] = float(number)
            return array

        rows = getattr(getattr(algebra.distributed, "RowMatrix$"), "MODULE$")
        for n in (4, 5):
            matrix = labelled(n, kind="symmetric")
            half = algebra.DenseVector(doubles(np.zeros(length(n))))
            pairs = np.eye(n)[:, None] + np.eye(n)  # e_i + e_j
            for i in range(n):
                for j in range(i):
                    algebra.BLAS.spr(matrix[i, j], algebra.DenseVector(doubles(pairs[i, j])), half)
                rest = 2 * matrix[i, i] - matrix[i].sum()
                algebra.BLAS.spr(rest, algebra.DenseVector(doubles(np.eye(n)[i])), half)
            yield Evidence("spark-packed-upper", "packs", "symmetric", matrix, np.array(list(half.values())))

            half = np.arange(1.0, length(n) + 1)
            full = getattr(rows, TO_FULL)(n, doubles(half)).toArray()
            full = np.array(list(full)).reshape(n, n)
            yield Evidence("spark-packed-upper", "expands", "symmetric", half, full)
    finally:
        session.stop()
