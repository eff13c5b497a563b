"""The group of commands, and how a run ends."""

import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any

import click

import vech
from vech.cli.wording import Wording
from vech.io.errors import visible

FAULTS = (
    *(ValueError, TypeError, LookupError, ArithmeticError, MemoryError, ImportError, OSError),
    BrokenExecutor,
)
"""What users can do something about; anything else is a fault of ours, and keeps its traceback."""

SHOWN = f"{__name__}.shown"
"""Where a context keeps what files are called that users did not name: {"/tmp/vech-x/stdin.csv": "stdin"}."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a run that left something: what it left, and what to do with it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and exit: 0, or 2 with at most three lines on stderr, or 130 after Ctrl-C."""
    try:
        code = vech_command.main(arguments, prog_name="vech", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt) as error:  # click makes an Abort of what it is caused by
        said = isinstance(error.__cause__, Interrupted)
        complain(str(error.__cause__) if said else "interrupted; nothing was written")
        code = 130
    except click.ClickException as error:
        complain(error.format_message())
        code = 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 2
    except FAULTS as error:
        complain(message_of(error))
        code = 2
    sys.exit(code or 0)


def message_of(error: Exception) -> str:
    """One error in words, the file first."""
    if isinstance(error, OSError):
        return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
    return str(error) or type(error).__name__


def complain(message: str) -> None:
    lines = [visible(line) for line in message.split("\n") if line.strip()]
    print("vech: " + "\n".join(lines[:3]), file=sys.stderr)


class Command(click.Command):
    """A command that says what is wrong in its own options.

    Parameters
    ----------
    python : mapping, optional
        Options by arguments of the library that have another name: {"layout": "--from"}.
    """

    def __init__(self, *arguments: Any, python: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.python = python or {}

    def invoke(self, context: click.Context) -> Any:
        """Run it."""
        try:
            return super().invoke(context)
        except (BrokenPipeError, click.UsageError):
            raise
        except (click.ClickException, *FAULTS) as error:
            raise click.ClickException(spoken(error)) from error


def spoken(error: Exception) -> str:
    """What an error says, in the words of the command that runs."""
    command = click.get_current_context().command
    message = error.format_message() if isinstance(error, click.ClickException) else message_of(error)
    for path, name in click.get_current_context().meta.get(SHOWN, {}).items():
        message = message.replace(path, name)
    return Wording(command, getattr(command, "python", {})).spoken(message)


class _Group(click.Group):
    command_class = Command


@click.group(
    name="vech",
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(vech.__version__, prog_name="vech", message="%(prog)s %(version)s")
@click.pass_context
def vech_command(context: click.Context) -> None:
    """Turn half-vectorized symmetric matrices into full ones, CSR or CSC, and back.

    Files are .npy, .npz, .mtx, .csv, .h5, raw .bin and more: vech convert --help lists what can be
    written. Start with: vech info FILE
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
