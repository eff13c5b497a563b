"""The options of the command line, from the commands themselves: tables in place of two lines of the page."""

import click

from vech.cli import vech_command

SHARED, OWN = "<!-- options that commands share -->\n", "<!-- options of one command -->\n"
MOST = 12
"""Choices that are listed; of more `vech COMMAND --help` has them."""


def rows():
    """What each option says and the commands of which that is true, by its names."""
    found = {}
    for command in sorted(vech_command.commands):
        for option in vech_command.commands[command].params:
            if isinstance(option, click.Option):
                found.setdefault((called(option), said(option)), []).append(command)
    return sorted((names, text, commands) for (names, text), commands in found.items())


def called(option):
    """Its names as code, and what follows them."""
    names = sorted([*option.opts, *option.secondary_opts], key=lambda name: (name.startswith("--"), name))
    choice = isinstance(option.type, click.Choice)
    after = "" if option.is_flag or choice else " " + (option.metavar or option.type.name.upper().split()[0])
    return ", ".join(f"`{name}{after}`" for name in names)


def said(option):
    """Its help, the example as code, and what there is to choose from."""
    text, _, example = option.help.partition(" Example: ")
    choices = getattr(option.type, "choices", ())
    if 0 < len(choices) <= MOST:
        text += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
    if example not in (*option.opts, *option.secondary_opts):
        text += f" Example: `{example}`"
    return text.replace("|", r"\|")


def table(heads, lines):
    parts = [heads, ["---"] * len(heads), *lines]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in parts)


def with_tables(text):
    """The page with its tables."""
    found = rows()
    shared = [(names, what, ", ".join(commands)) for names, what, commands in found if len(commands) > 1]
    own = sorted((commands[0], names, what) for names, what, commands in found if len(commands) == 1)
    text = text.replace(SHARED, table(("option", "what it says", "of"), shared))
    return text.replace(OWN, table(("command", "option", "what it says"), own))
