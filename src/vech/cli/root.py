"""The group of commands, and how a run ends."""

import os
import sys
from collections.abc import Sequence

import click

import vech
from vech.io.errors import visible


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and exit: 0, or 2 with at most three lines on stderr, or 130 after Ctrl-C."""
    try:
        code = vech_command.main(arguments, prog_name="vech", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted; nothing was written")
        code = 130
    except click.ClickException as error:
        complain(error.format_message())
        code = 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 2
    except OSError as error:
        complain(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
        code = 2
    except (ValueError, TypeError, LookupError, ArithmeticError, MemoryError, ImportError) as error:
        complain(str(error) or type(error).__name__)
        code = 2
    sys.exit(code or 0)


def complain(message: str) -> None:
    lines = [visible(line) for line in message.split("\n") if line.strip()]
    print("vech: " + "\n".join(lines[:3]), file=sys.stderr)


@click.group(
    name="vech", invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(vech.__version__, prog_name="vech", message="%(prog)s %(version)s")
@click.pass_context
def vech_command(context: click.Context) -> None:
    """Turn half-vectorized symmetric matrices into full ones, CSR or CSC, and back.

    Files are .npy, .npz, .mtx, and raw .bin. Start with: vech info FILE
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
