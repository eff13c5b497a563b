"""Files of cooler with several collections: resolutions in an `.mcool`, cells in an `.scool`; read alone."""

from vech.io.content import Abilities
from vech.io.pixels import OPTIONS, load

__all__ = ["CAN", "load"]

CAN = Abilities(write=(), options=OPTIONS)
