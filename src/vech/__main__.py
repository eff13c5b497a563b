"""The command `vech`, which is `python -m vech` too."""

import os
import signal
from typing import Never


def main() -> None:
    """Run the command line, whose modules take half a second: Ctrl-C meanwhile ends it as it does later."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where a shell had it ignored
    if heard:
        signal.signal(signal.SIGINT, _leave)
    from vech.cli import main

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


def _leave(*_: object) -> Never:
    os.write(2, b"vech: interrupted; nothing was written\n")
    os._exit(130)


if __name__ == "__main__":
    main()
