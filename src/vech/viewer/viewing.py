"""`vech.view`: a matrix in the browser."""

from __future__ import annotations

import errno
import os
import sys
import threading
import webbrowser
from html import escape
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import family
from vech.io import read
from vech.layouts.layout import one_of
from vech.plot.axes import drawable
from vech.plot.cells import SUMMARIES
from vech.plot.content import MAPS, given_limits
from vech.store import Store
from vech.tiled import open as open_tiled
from vech.viewer.scene import Scene
from vech.viewer.server import Server

HOST = "127.0.0.1"  # this machine alone
PORTS = 65_535
POLL = 0.05  # seconds until it is noticed that the page is closed
HEIGHT = 640  # pixels in a notebook


class View:
    """A page that is being served.

    Attributes
    ----------
    url : str
        Where it is.
    """

    def __init__(self, scene: Scene, host: str, port: int) -> None:
        self._scene = scene
        try:
            self._server = Server(scene, host, port)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            way_out = "port=0 takes a free one" if taken else "host= is an address or a name of this machine"
            raise OSError(f"port {port} of {host!r} cannot be had ({error.strerror}): {way_out}") from None
        self.url = self._server.url
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL,), name="vech view", daemon=True
        )
        self._thread.start()

    def open(self) -> bool:
        """Open it in a browser that has a window; whether there is one. One of text would take the terminal.

        Returns
        -------
        bool
        """
        found = map(os.environ.get, ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
        return (sys.platform == "darwin" or any(found)) and webbrowser.open(self.url)

    def wait(self) -> None:
        """Wait until Ctrl-C, then close."""
        try:
            self._thread.join()
        except KeyboardInterrupt:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """End it: the page answers no more, and nothing of the matrix is kept.

        Examples
        --------
        >>> page = vech.view(np.eye(3), wait=False, browser=False)
        >>> page.close()
        >>> page
        View(closed)
        """
        self._scene.close()
        self._server.shutdown()
        self._server.server_close()

    @property
    def _is_open(self) -> bool:
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"View({self.url if self._is_open else 'closed'})"

    def _repr_html_(self) -> str:
        url = escape(self.url)
        if not self._is_open:
            return "<p>This view is closed.</p>"
        return (
            f'<iframe src="{url}" width="100%" height="{HEIGHT}" style="border:0"></iframe>'
            f'<p><a href="{url}" target="_blank">{url}</a></p>'
        )


def view(
    S: Store | ArrayLike | str | os.PathLike[str],
    *,
    content: str | None = None,
    summary: str = "mean",
    limits: tuple[float, float] | None = None,
    title: str | None = None,
    host: str = HOST,
    port: int = 0,
    browser: bool | None = None,
    wait: bool | None = None,
) -> View:
    """Show a matrix in the browser, from the whole of it to single numbers.

    Parameters
    ----------
    S : store, a full matrix (array, data frame) that is packed first, or the path of a file
        Of any size, kind and dtype but dates; what `vech.read` reads without further arguments, or the URL of
        a `vech.Tiled`. The matrix is never expanded, and of tiles that are not done it is said so.
    content : {"correlation", "covariance", "distance", "similarity"}, optional
        What real numbers are, and so in which colours and limits they are drawn, as for `vech.plot.heatmap`;
        unless said it is seen in a sample of them.
    summary : {"mean", "extreme"}
        What is shown first where a pixel is of several numbers: their mean, or the one of largest modulus.
        The page has both.
    limits : (low, high), optional
        What the ends of the colours mean at first; from a sample of the numbers off the diagonal unless said.
    title : str, optional
        Above the picture; the name of the file unless said.
    host : str
        Address of this machine to be reached by. Unless told otherwise nobody else can reach it; "0.0.0.0" is
        every address, and whoever can reach one then sees the matrix.
    port : int
        Of that address; 0 is a free one.
    browser : bool, optional
        Whether to open the page in a browser. Unless said: where there is one to open, but not in notebooks,
        which show it themselves.
    wait : bool, optional
        Whether to return only after Ctrl-C, the page then being closed. Unless said: not at a prompt or in a
        notebook, where Python goes on running.

    Returns
    -------
    View
        Its ``.url`` is where the page is, ``.wait()`` waits for Ctrl-C, and ``.close()`` ends it; so does
        leaving ``with vech.view(...) as page``. A notebook shows it in a frame.

    Raises
    ------
    TypeError
        For dates, and for `content` of complex numbers, which are drawn by modulus and parts.
    ValueError
        For names that are none of their choices, and limits and ports that are none.
    OSError
        For a port that is taken, and a host that is no address of this machine.
    FileFormatError
        As `vech.read`.

    Notes
    -----
    The lower triangle is read once in the background, and until then a sample is shown, and said to be one.
    Kept are the cells of coarse levels, 4096 a side at most, so 256 MiB beside the store whatever n; finer
    ones are read when they are looked at, and beyond n = 131,072 there are none between 16 x 16 and those.

    Examples
    --------
    >>> with vech.view(np.eye(3), wait=False, browser=False) as page:
    ...     page.url.startswith("http://127.0.0.1:")
    True
    """
    given: object = S
    if isinstance(given, str | os.PathLike):
        title = os.path.basename(os.path.normpath(given)) if title is None else title
        given = open_tiled(os.fspath(given)) if "://" in os.fspath(given) else read(given)
    store = given if isinstance(given, Store) and given.n == 0 else drawable(given, "view", complex_too=True)
    one_of("summary", summary, SUMMARIES)
    if content is not None:
        one_of("content", content, tuple(MAPS))
        if family(store.dtype) == "c":
            raise TypeError("content= is what real numbers are: complex ones are drawn by modulus and parts")
    if limits is not None:
        limits = given_limits(limits)
    if isinstance(port, bool) or not isinstance(port, int | np.integer) or not 0 <= port <= PORTS:
        raise ValueError(f"port must be an integer from 0 to {PORTS}, not {port!r}")
    if not isinstance(host, str):
        raise TypeError(f"host must be an address or a name of this machine, such as {HOST!r}, not {host!r}")
    for name, flag in (("browser", browser), ("wait", wait)):
        if not isinstance(flag, bool | np.bool | None):
            raise TypeError(f"{name} must be True, False or None, not {flag!r}")
    scene = Scene(store, title=title or "", content=content, summary=summary, limits=limits)
    page = View(scene, host, int(port))
    if browser or (browser is None and "ipykernel" not in sys.modules):
        page.open()
    if wait or (wait is None and not hasattr(sys, "ps1")):
        page.wait()
    return page
