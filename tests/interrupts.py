"""Ctrl-C where it hurts: at one step of the Python code of vech after another, or a while after the start."""

import signal
import sys
from collections.abc import Callable, Iterator


def interrupted(call: Callable[[], object], step: int) -> bool:
    """Call with a KeyboardInterrupt before this bytecode of vech; whether it came to that."""
    left = step

    def trace(frame, event, argument):
        nonlocal left
        if "vech" not in frame.f_globals.get("__name__", ""):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
        return False
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)


def at_every(stride: int, make: Callable[[], Callable[[], object]]) -> Iterator[int]:
    """Steps at which a fresh call was interrupted, one in so many, up to the end of the call."""
    step = 0
    while interrupted(make(), step):
        yield step
        step += stride


def interrupted_after(seconds: float, call: Callable[[], object]) -> bool:
    """
    Call, again where that was quick, with a KeyboardInterrupt after a while; whether it was heard.

    It comes again every second, up to five times: Python drops one that falls into a callback of a weak
    reference.
    """
    came = 0

    def halt(*_):
        nonlocal came
        came += 1
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, halt)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds, 1)
            while came < 5:
                call()
        finally:  # where it may still come
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return True
    else:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)  # the one before may have been interrupted
        signal.signal(signal.SIGALRM, handler)
