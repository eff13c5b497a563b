"""Pictures of stores and layouts by matplotlib, the extra "plot"."""

from vech.plot.certificate import Certificate, certificate
from vech.plot.error import Error, error
from vech.plot.graph import Graph, graph
from vech.plot.heatmap import Heatmap, heatmap
from vech.plot.layout import LayoutPicture, layout
from vech.plot.spectrum import Spectrum, spectrum

__all__ = [
    "Certificate",
    "Error",
    "Graph",
    "Heatmap",
    "LayoutPicture",
    "Spectrum",
    "certificate",
    "error",
    "graph",
    "heatmap",
    "layout",
    "spectrum",
]


def __dir__() -> list[str]:
    return __all__
