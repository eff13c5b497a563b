"""One file a field, one function a library: what it gives for labelled numbers."""

from pkgutil import iter_modules

for _module in iter_modules(__path__):
    __import__(f"{__name__}.{_module.name}")
