"""What the page asks for, by HTTP: itself, facts, tiles of cells, numbers, labels. Nothing else is there."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from socketserver import TCPServer
from typing import Any
from urllib.parse import unquote

from vech.io.errors import visible
from vech.viewer.scene import NotThereError, Scene

READERS = 4  # tiles that are read at a time
IDLE = 60  # seconds after which a connection is closed that asks for nothing
MOST_LABELS = 512

PAGE = {"/": "page.html", "/page.js": "page.js", "/page.css": "page.css"}
SORTS = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Answer = tuple[str, bytes]


class Server(ThreadingHTTPServer):
    """A server of one scene."""

    daemon_threads = True
    is_closed = False

    def __init__(self, scene: Scene, host: str, port: int) -> None:
        self.scene, self.host = scene, host
        self.readers = threading.BoundedSemaphore(READERS)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, *_, address = found[0]
        super().__init__(address[:2], _Handler)  # type: ignore[arg-type]
        bound = ipaddress.ip_address(str(self.server_address[0]))
        self.is_for_all, self.is_local = bound.is_unspecified, bound.is_loopback
        self.names = {"localhost", host.lower()}
        if not self.is_local:
            self.names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    @property
    def url(self) -> str:
        """Where the page is."""
        host = socket.gethostname() if self.is_for_all else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_address[1]}/"

    def server_bind(self) -> None:
        """Take the address; Python's own server would ask the network for its name too, for seconds."""
        TCPServer.server_bind(self)

    def server_close(self) -> None:
        """Answer no more, not even to browsers that are connected."""
        self.is_closed = True
        super().server_close()

    def answers_to(self, name: str) -> bool:
        """Whether this server is called so; pages elsewhere could else read it by a name of theirs."""
        host = re.sub(r":\d*$", "", name).strip("[]").lower()
        try:
            return ipaddress.ip_address(host).is_loopback or not self.is_local
        except ValueError:
            return host in self.names

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of browsers that went away."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE

    def do_GET(self) -> None:
        status, (sort, body) = self._answer()
        self.send_response(status)
        for name, value in {"Content-Type": f"{sort}; charset=utf-8", **HEADERS}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def version_string(self) -> str:
        """No names of programs."""
        return "vech"

    def _answer(self) -> tuple[HTTPStatus, Answer]:
        if self.server.is_closed:
            return HTTPStatus.SERVICE_UNAVAILABLE, _text("this view is closed")
        name = self.headers.get("Host", "")
        if not self.server.answers_to(name):
            return HTTPStatus.FORBIDDEN, _text(f"this server is not called {visible(name)}")
        try:
            return HTTPStatus.OK, self._found(self.path.partition("?")[0])
        except NotThereError:
            return HTTPStatus.NOT_FOUND, _text("there is nothing here")
        except Exception as error:  # noqa: BLE001 - the page says it
            return HTTPStatus.INTERNAL_SERVER_ERROR, _text(visible(str(error) or type(error).__name__))

    def _found(self, path: str) -> Answer:
        scene = self.server.scene
        if path in PAGE:
            name = PAGE[path]
            return SORTS[name.partition(".")[2]], (resources.files("vech.viewer") / name).read_bytes()
        first, *rest = path.removeprefix("/").split("/")
        match first, rest:
            case "facts", []:
                return _json(scene.facts())
            case "tile", [part, *place] if len(place) == 3:
                with self.server.readers:
                    return "application/octet-stream", scene.tile(part, *map(_count, place))
            case "numbers", [i, j]:
                with self.server.readers:
                    return _json(scene.numbers(_count(i), _count(j)))
            case "labels", [rows]:
                return _json(scene.labels([_count(row) for row in rows.split(",")[:MOST_LABELS]]))
            case "find", [text]:
                return _json(scene.find(unquote(text)))
        raise NotThereError(path)


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise NotThereError(text)
    return int(text)


def _json(value: Any) -> Answer:
    return "application/json", json.dumps(value).encode()


def _text(said: str) -> Answer:
    return "text/plain", f"{said}\n".encode()
