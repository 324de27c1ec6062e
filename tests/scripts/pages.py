"""The commands of a page of docs/, run as they stand there."""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tests.clients import ENCRYPTION_KEY
from tests.conftest import ROOT

DONE = "The command ended with"
TIMEOUT_S = 200.0


@dataclass(frozen=True)
class Ran:
    """What became of the commands of a block: the exit code of each, and all that they printed."""

    codes: list[int]
    output: str

    @property
    def in_one_line(self) -> str:
        """Return what was printed, with a space for each line break: some lines are wrapped."""
        return " ".join(self.output.split())


def commands_of(page: str, *headings: str) -> list[str]:
    """Return the blocks of commands that stand directly under a heading of a page, named from the outermost on."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for heading in headings:
        (mark,) = re.findall(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
        text = text.split(f"\n{mark} {heading}\n")[1]
        text = re.split(rf"^#{{2,{len(mark)}}} ", text, flags=re.MULTILINE)[0]
    directly = re.split(r"^#+ ", text, flags=re.MULTILINE)[0]
    return [block.strip() for block in re.findall(r"(?:^    .*\n)+", directly, re.MULTILINE)]


def run(block: str, uri: str, names: Mapping[str, str], *, database: str = "finance_suite") -> Ran:
    """Run a block in one shell, command by command, what is on stderr beside what is on stdout.

    `names` says what the databases, files and runs of the page are called here; `database` is the name on the page of
    the one that FINANCE_DATABASE names before the page does.
    """
    block = _renamed(block.replace("\\\n", " "), names)
    commands = [line.strip() for line in block.splitlines()]
    program = "exec 2>&1\n" + "".join(f'{command}\nprintf "\\n{DONE} %d\\n" $?\n' for command in commands)
    env = os.environ | {
        "MONGODB_URI": uri,
        "FINANCE_VENV": sys.prefix,
        "FINANCE_DATABASE": names.get(database, database),
        "FINANCE_ENCRYPTION_KEY": base64.b64encode(ENCRYPTION_KEY).decode(),
    }
    done = subprocess.run(
        ["bash"], input=program, env=env, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    return Ran([int(code) for code in re.findall(rf"^{DONE} (\d+)$", done.stdout, re.MULTILINE)], done.stdout)


def _renamed(block: str, names: Mapping[str, str]) -> str:
    """Return the block with each whole name replaced; `finance` is no part of `finance_suite` or finance.prom."""
    written = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.sub(rf"(?<![\w./-])(?:{written})(?![\w./-])", lambda match: names[match[0]], block)
