"""`vech.view` and its server: who gets an answer, to what, and how it ends."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.parse

import numpy as np
import pytest
from tile_bytes import taken_apart

import vech
from vech import viewer

S = vech.Packed(np.arange(1.0, 11.0), labels=["a", "b/c", "d e", "ü"])


@pytest.fixture(scope="module")
def page():
    with vech.view(S, wait=False, browser=False) as made:
        yield made


def ask(page, path, method="GET", host=None, body=None):
    """Status, headers and body; `host` is what the server is called."""
    at = urllib.parse.urlsplit(page.url)
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=300)
    try:
        connection.putrequest(method, path, skip_host=True)
        if host is not False:
            connection.putheader("Host", host or at.netloc)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "sort"), [("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")]
)
def test_the_page_comes_with_all_that_it_needs(page, path, sort):
    status, headers, body = ask(page, path)
    assert status == 200 and headers["Content-Type"] == f"{sort}; charset=utf-8"
    assert b"//" not in body.replace(b"// ", b"").replace(b"\n//", b"\n"), "nothing comes from elsewhere"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


def test_the_store_is_told(page):
    assert json.loads(ask(page, "/facts")[2])["n"] == 4
    np.testing.assert_array_equal(taken_apart(ask(page, "/tile/value/0/0/0")[2], 0).mean, S.expand())
    assert json.loads(ask(page, "/numbers/0/0")[2])[1][2] == str(S[1, 2])
    assert json.loads(ask(page, "/labels/0,1,3")[2]) == ["a", "b/c", "ü"]
    assert json.loads(ask(page, "/find/b%2Fc%2C%C3%BC")[2]) == [1, 3]


NOWHERE = [
    "/etc/passwd",
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc%2fpasswd",
    "//etc/passwd",
    "/page.html",
    "/viewing.py",
    "/tile/value/0/0/1",
    "/tile/value/0/0/-1",
    "/tile/value/0/0/٣",
    "/tile/value/0/0/0/0",
    "/tile/other/0/0/0",
    "/tile/__class__/0/0/0",
    "/tile/value/99/0/0",
    "/tile/value/0/99999999999999999999/0",
    "/numbers/1/0",
    "/labels/4",
    "/labels/",
    "/labels/0,-1",
    "/find/zzz",
    "/find/",
    "/facts/",
    "*",
    "http://example.org/",
]


@pytest.mark.parametrize("path", NOWHERE)
def test_there_is_nothing_else(page, path):
    status, _, body = ask(page, urllib.parse.quote(path, safe="/%*:,-_."))
    assert (status, body) == (404, b"there is nothing here\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1", "127.0.0.1:9999", "[::1]:80"])
def test_this_machine_is_answered_through_any_port(page, host):
    assert ask(page, "/facts", host=host)[0] == 200


@pytest.mark.parametrize(
    "host", ["example.org", "127.0.0.1.example.org", "10.0.0.7:80", "localhost.evil", False, "\x1b[31m"]
)
@pytest.mark.parametrize("path", ["/", "/facts", "/tile/value/0/0/0"])
def test_names_that_others_gave_to_this_machine_are_refused(page, host, path):
    status, _, body = ask(page, path, host=host)
    assert status == 403 and body.startswith(b"this server is not called") and b"\x1b" not in body


def test_names_of_its_own_are_answered_where_all_may_come():
    with vech.view(S, host="0.0.0.0", wait=False, browser=False) as page:
        for host, status in [(socket.gethostname(), 200), ("10.0.0.7:80", 200), ("example.org", 403)]:
            at = urllib.parse.urlsplit(page.url)
            connection = http.client.HTTPConnection("127.0.0.1", at.port, timeout=300)
            connection.request("GET", "/facts", headers={"Host": host})
            assert connection.getresponse().status == status
            connection.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "X"])
def test_only_looking_is_answered(page, method):
    status, headers, _ = ask(page, "/facts", method, body=b"n=1")
    assert status == 501 and headers["Connection"] == "close"


def test_head_is_get_without_a_body(page):
    at = urllib.parse.urlsplit(page.url)
    with socket.create_connection((at.hostname, at.port), timeout=300) as connection:
        connection.sendall(f"HEAD /facts HTTP/1.1\r\nHost: {at.netloc}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    length = len(ask(page, "/facts")[2])
    assert head.startswith(b"HTTP/1.1 200 ") and f"Content-Length: {length}".encode() in head and body == b""


def test_what_goes_wrong_is_said(page, monkeypatch):
    def broken(*_):
        raise OSError("the disk is gone\x1b[31m")

    monkeypatch.setattr(page._scene, "numbers", broken)
    status, _, body = ask(page, "/numbers/0/0")
    assert status == 500 and body.startswith(b"the disk is gone") and b"\x1b" not in body


# ---- how it begins and ends --------------------------------------------------------------------------------


def test_only_this_machine_is_listened_to(page):
    assert page._server.server_address[0] == "127.0.0.1"
    assert page.url.startswith("http://127.0.0.1:")


def test_ipv6_works_where_there_is_any():
    try:
        with vech.view(S, host="::1", wait=False, browser=False) as page:
            assert page.url.startswith("http://[::1]:")
            assert ask(page, "/facts")[0] == 200
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = rf"port {port} of '127.0.0.1' cannot be had \(.*\): port=0 takes a free one"
        with pytest.raises(OSError, match=message):
            vech.view(S, port=port, wait=False, browser=False)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", ""])
def test_an_address_of_others_is_said(host):
    with pytest.raises((OSError, ValueError), match=r"host"):
        vech.view(S, host=host, wait=False, browser=False)


def test_arguments_that_are_none_are_said():
    for port in (-1, 65536, 1.5, "80", True, np.int64(-1)):
        message = f"port must be an integer from 0 to 65535, not {port!r}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            vech.view(S, port=port, wait=False, browser=False)
    for host in (3, None, b"127.0.0.1"):
        message = f"host must be an address or a name of this machine, such as '127.0.0.1', not {host!r}"
        with pytest.raises(TypeError, match=f"^{message}$"):
            vech.view(S, host=host, wait=False, browser=False)
    for name in ("wait", "browser"):
        given = {"wait": False, "browser": False, name: "no"}
        with pytest.raises(TypeError, match=f"^{name} must be True, False or None, not 'no'$"):
            vech.view(S, **given)
    vech.view(S, port=np.int64(0), wait=np.False_, browser=False).close()


def test_a_closed_page_answers_no_more_and_its_port_is_free():
    page = vech.view(S, wait=False, browser=False)
    at = urllib.parse.urlsplit(page.url)
    held = http.client.HTTPConnection(at.hostname, at.port, timeout=300)
    held.request("GET", "/facts")
    assert held.getresponse().read()
    page.close()
    page.close()
    held.request("GET", "/facts")
    assert held.getresponse().status == 503
    held.close()
    with pytest.raises(ConnectionRefusedError):
        ask(page, "/facts")
    with vech.view(S, port=at.port, wait=False, browser=False) as again:
        assert again.url == page.url and ask(again, "/facts")[0] == 200
    assert repr(page) == "View(closed)" and "closed" in page._repr_html_()


def test_a_notebook_shows_it_in_a_frame(page):
    html = page._repr_html_()
    assert f'<iframe src="{page.url}"' in html and repr(page) == f"View({page.url})"


def test_it_opens_a_browser_with_a_window(monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with vech.view(S, wait=False):
        assert not opened
    monkeypatch.setenv("DISPLAY", ":0")
    with vech.view(S, wait=False) as page:
        assert opened == [page.url]
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    with vech.view(S, wait=False):
        assert opened == [page.url]


def test_it_waits_unless_python_goes_on(monkeypatch):
    waits = []
    monkeypatch.setattr(viewer.View, "wait", lambda page: waits.append(page.url))
    monkeypatch.delattr(sys, "ps1", raising=False)
    with vech.view(S, browser=False) as page:
        assert waits == [page.url]
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    with vech.view(S, browser=False):
        assert len(waits) == 1
    with vech.view(S, browser=False, wait=True):
        assert len(waits) == 2


@pytest.mark.parametrize("given", [np.eye(3), S], ids=["array", "store"])
def test_arrays_and_stores_are_taken(given):
    with vech.view(given, wait=False, browser=False, title="T") as page:
        told = json.loads(ask(page, "/facts")[2])
        assert (told["title"], told["n"]) == ("T", len(given))


def test_a_file_is_read(tmp_path):
    vech.write(tmp_path / "half.npy", S)
    with vech.view(tmp_path / "half.npy", wait=False, browser=False) as page:
        told = json.loads(ask(page, "/facts")[2])
        assert (told["title"], told["n"], told["labels"]) == ("half.npy", 4, True)


REFUSED = {
    "dates": (lambda: vech.Packed(np.zeros(3, "M8[s]")), {}, r"view draws real numbers, not datetime64\[s\]"),
    "a vector": (lambda: np.zeros(3), {}, "view draws a store, not ndarray"),
    "a summary": (lambda: S, {"summary": "max"}, "summary"),
    "a content": (lambda: S, {"content": "heat"}, "content"),
    "limits": (lambda: S, {"limits": (2, 1)}, "limits must be two finite numbers, the lower one first"),
    "content of complex": (
        lambda: vech.Packed(np.ones(3, complex), kind="hermitian"),
        {"content": "distance"},
        "complex ones are drawn by modulus and parts",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_shown_is_said(case):
    make, more, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=message):
        vech.view(make(), wait=False, browser=False, **more)


def test_all_is_in_the_module():
    assert viewer.view is vech.view and set(dir(viewer)) == {"View", "view"}


@pytest.mark.parametrize("how", ["command", "python"])
def test_ctrl_c_ends_it_and_leaves_no_trace(tmp_path, how):
    vech.write(tmp_path / "half.npy", S)
    program = "from vech.cli import main; main(['view', 'half.npy', '--no-browser'])"
    if how == "python":
        # it says so as it begins to wait
        program = "import vech; page = vech.view('half.npy', browser=False, wait=False); "
        program += "join = page._thread.join; page._thread.join = lambda: (print(page), join()); "
        program += "page.wait(); print(page)"
    run = subprocess.Popen(
        [sys.executable, "-uc", program],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if how == "command":
        assert run.stdout.readline() == "half.npy: 4 x 4 float64, symmetric\n"
        url, _, rest = run.stdout.readline().partition(" ")
        assert rest == "(Ctrl-C ends it)\n"
        at = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(at.hostname, at.port, timeout=300)
        connection.request("GET", "/facts")
        assert json.loads(connection.getresponse().read())["title"] == "half.npy"
    else:
        assert run.stdout.readline().startswith("View(http://127.0.0.1:")
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=600)
    assert (run.returncode, err) == (130 if how == "command" else 0, "")
    assert out == ("" if how == "command" else "View(closed)\n")
