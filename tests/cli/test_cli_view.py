"""`vech view`: what reaches the page, and what is refused before there is one."""

import socket

import numpy as np
import pytest

import vech
from vech.viewer.viewing import View

S = vech.Packed(np.arange(1.0, 11.0))


@pytest.fixture
def shown(vech_run, monkeypatch):
    """Run until the page would wait: the facts it would get, and what is printed."""
    pages = []

    def seen(page):
        pages.append(page._scene.facts())
        page.close()

    monkeypatch.setattr(View, "wait", seen)

    def runs(*arguments):
        code, out, err = vech_run("view", *arguments)
        assert (code, err) == (130, "")  # a page waits for Ctrl-C
        return pages.pop(), out.decode().splitlines()

    return runs


def test_the_address_is_printed_and_the_page_is_of_the_file(there, shown):
    vech.write(there / "half.npy", S)
    facts, (what, address) = shown("half.npy", "--no-browser")
    assert (facts["n"], facts["title"]) == (4, "half.npy")
    assert what == "half.npy: 4 x 4 float64, symmetric"
    assert address.startswith("http://127.0.0.1:") and address.endswith("/ (Ctrl-C ends it)")


def test_options_reach_the_page(there, shown):
    np.save(there / "bare.npy", S.half)
    options = (
        "--layout",
        "numpy-tril",
        "--content",
        "similarity",
        "--summary",
        "extreme",
        "--limits",
        -3,
        7.25,
    )
    facts, _ = shown("bare.npy", "--no-browser", *options)
    part = facts["parts"][0]
    assert (part["content"], part["low"], part["high"], facts["summary"]) == (
        "similarity",
        -3,
        7.25,
        "extreme",
    )
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    _, (_, address) = shown("bare.npy", "--no-browser", "--layout", "vech", "--port", port)
    assert address.startswith(f"http://127.0.0.1:{port}/")


def test_a_browser_is_opened_unless_told(there, shown, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    monkeypatch.setenv("DISPLAY", ":0")
    vech.write(there / "half.npy", S)
    _, (_, address) = shown("half.npy")
    assert opened == [address.partition(" ")[0]]
    shown("half.npy", "--no-browser")
    assert len(opened) == 1


def test_ctrl_c_ends_it_before_it_waits_too(there, vech_run, monkeypatch):
    def interrupted(page):
        raise KeyboardInterrupt

    monkeypatch.setattr(View, "open", interrupted)
    vech.write(there / "half.npy", S)
    code, out, err = vech_run("view", "half.npy")
    assert (code, err) == (130, "") and out.endswith(b"(Ctrl-C ends it)\n")


REFUSED = {
    "a file that is not there": (("none.npy",), "none.npy: No such file or directory"),
    "a bare half": (("bare.npy",), "--layout"),
    "a port that is none": (("half.npy", "--port", "65536"), "65535"),
    "limits that are none": (("half.npy", "--limits", "2", "1"), "limits must be two finite numbers"),
    "a host of others": (
        ("half.npy", "--host", "192.0.2.1"),
        "--host is an address or a name of this machine",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_shown_is_said(there, fails, case):
    vech.write(there / "half.npy", S)
    np.save(there / "bare.npy", S.half)
    arguments, message = REFUSED[case]
    assert message in fails("view", *arguments, "--no-browser")


def test_a_port_that_is_taken_is_said(there, fails):
    vech.write(there / "half.npy", S)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = fails("view", "half.npy", "--no-browser", "--port", port)
    assert said.startswith(f"port {port} of '127.0.0.1' cannot be had (") and said.endswith(
        "--port 0 takes a free one"
    )
