"""What the library says of its arguments, in the options of a command."""

import re
from collections.abc import Mapping

import click

from vech.executors import KEPT

NOT_SAID = ("file", "files", "n", "out")
"""Names that messages use for other things too: "10 for n=4", "out= a memory map"."""

CALL = re.compile(r"\b(?:vech\.[\w.]+|its \w+)(?:\([^()]*\))? \((vech [^()]*)\)")
"""A call, and behind it in brackets the command that does the same."""

PYTHON_ALONE = re.compile(r", and [A-Z]\w+\.\w+\([^;]*")
"""A further way, which no command has."""

BRACKETS = re.compile(r" \((--[^()]*)\)")
"""Options in brackets, behind the argument that they are."""

OPTION = re.compile(r"--[a-z-]+")

METHODS = tuple(
    (re.compile(said), instead)
    for said, instead in (
        (r"\bmissing\(\) lists (\w+), fill\(\)", r"vech verify lists \1, a run with --resume"),
        (r"pass labels= that (?:do|have one)", "say {--drop-labels}"),
        (
            r"S\.(?:to_packed\(\)\.)?set_diagonal\(0\) sets it; similarities.* 1 - s",
            "vech distances makes such a matrix",
        ),
        (r"\b\w+\([ST]\.to_packed\(\)\)", "vech convert writes all of them"),
        (r"S\.with_labels\(None\), without them", "say {--drop-labels}"),
        (r"(?<=no labels): S\.with_labels\(names\), or (?=write)", ": "),
        (r": [SQ]\.with_labels\((?:names|bins)\)(?! *,)( gives it some)?", ""),
        (r"S\.with_labels\(\w+\)(?=,)", "say {--join-labels} MARK"),
        (r"S\.with_labels\(\w+\)", "{--join-labels} MARK"),
        (r"(?<= text): astype\(float\) first|(?<= objects): astype\(float\) first", ""),
        (r": take \.real or \.imag", ""),
        (r": np\.hstack\(.* has both parts|: np\.real and np\.imag of it .*|: pass np\.real\(X\)", ""),
        (r"S\.astype\('(\w+)'\)(?: makes it so)?", r"{--out-dtype} \1 makes it so"),
        (r"\bastype\(float\)(?: first)?", "{--out-dtype} float64 first"),
        (r"\bastype\(complex\)(?: first)?", "{--out-dtype} complex128 first"),
        (r"\bastype\((?:np\.)?'?(\w+)'?\)(?: first)?", r"{--out-dtype} \1 first"),
        (r"\bastype (?:to )?a (\w+) dtype first", r"{--out-dtype} makes a \1 dtype"),
        (r"\bastype(?: it)? first", "{--out-dtype} first"),
    )
)
"""Methods of a store in messages, and what a command has for them."""

OF_CONVERT = re.compile(r"\{(--[a-z-]+)\}")
"""An option in these, which is one of `vech convert`."""

OF_WORKERS = re.compile(re.escape(KEPT))
"""What is said of a call whose workers ended."""

OF_A_TABLE = re.compile(
    r"(?:,? or |: )(?:S\.)?\bastype\([^()]*\)(?: first| makes \w+ of them, astype\([^()]*\) names)?"
)
"""What is said of tables, of which no command makes another dtype."""


class Wording:
    """The words of one command: of its options, and of arguments that have another name there.

    Parameters
    ----------
    command : Command
        Whose options are meant.
    others : mapping, optional
        Options by arguments that go by another name: {"layout": "--from"}.
    """

    def __init__(self, command: click.Command, others: Mapping[str, str]) -> None:
        options = [param for param in command.params if isinstance(param, click.Option) and param.name]
        self.yes = {option.name or "": max(option.opts, key=len) for option in options} | dict(others)
        self.no = {
            option.name: max(option.secondary_opts, key=len) for option in options if option.secondary_opts
        } | {name.removeprefix("no_"): self.yes[name] for name in self.yes if name.startswith("no_")}
        self.known = {name for option in options for name in (*option.opts, *option.secondary_opts)}
        names = "|".join(name for name in self.yes if name not in NOT_SAID)
        self.named = re.compile(rf"\b({'|'.join(self.yes)}) \((--[\w-]+(?:, --[\w-]+)*)\)")
        self.asked = re.compile(rf"\b({'|'.join(self.yes)})=(\S{{1,200}})(?= was asked for)")
        self.left_out = re.compile(rf"(?<=leave )({'|'.join(self.yes)})=?(?= out\b)")
        self.underscored = re.compile(
            rf"(?<![\w.-])({'|'.join(n for n in self.yes if '_' in n) or '$^'})(?![\w=(])"
        )
        self.bare = re.compile(r"\bn=(?=$|[\s,;:.)])")
        self.said = re.compile(rf"(?<![\w.-])({names})=(?:(True|False)\b|(?=[\w'\"+-]))?")

    def spoken(self, message: str) -> str:
        """The message with options for arguments: "--missing pairwise" for "missing='pairwise'"."""
        message = self._methods(PYTHON_ALONE.sub("", CALL.sub(r"\1", message)))
        message = self.named.sub(self._named, message)
        message = self.asked.sub(lambda found: f"{self.yes[found[1]]} {found[2]}", message)
        message = self.left_out.sub(lambda found: self.yes[found[1]], message)
        message = self.underscored.sub(lambda found: self.yes[found[1]], message)
        message = self.bare.sub(self.yes.get("n", "n="), message)
        return self._once(self.said.sub(self._option, message))

    def _methods(self, message: str) -> str:
        """Without the methods of a store, which nobody has here."""
        if "--dates" in self.known:
            message = OF_A_TABLE.sub("", message)
        again = "the same command with --resume goes on" if "--resume" in self.known else "run it again"
        message = OF_WORKERS.sub(again, message)
        for said, instead in METHODS:
            message = said.sub(instead, message)
        return OF_CONVERT.sub(self._of_convert, message)

    def _of_convert(self, found: re.Match[str]) -> str:
        """An option, with the command that has it unless this one does."""
        return found[1] if found[1] in self.known else f"vech convert {found[1]}"

    def _named(self, found: re.Match[str]) -> str:
        """The options in brackets for the name before them, if they are those of this command."""
        return found[2] if self.known.issuperset(OPTION.findall(found[2])) else found[0]

    def _option(self, found: re.Match[str]) -> str:
        name, flag = found[1], found[2]
        if flag is not None:
            return self.yes[name] if flag == "True" else self.no.get(name, f"no {self.yes[name]}")
        return self.yes[name] + (
            " " if found.string[found.end() : found.end() + 1] not in ("", *",;:.) ") else ""
        )

    def _once(self, message: str) -> str:
        """Without options in brackets that are in the text already, or of other commands."""

        def kept(found: re.Match[str]) -> str:
            options, before = OPTION.findall(found[1]), message[: found.start()]
            new = any(option not in before for option in options) and self.known.issuperset(options)
            return found[0] if new else ""

        return BRACKETS.sub(kept, message)
