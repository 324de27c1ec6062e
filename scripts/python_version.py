"""Goes on with a newer Python where the one that runs us is too old, as `python3` is on some systems for years.

It has to work on Python 3.6, and so has all that is read before it is called.
"""

import os
import shutil
import subprocess
import sys

PYTHON_MIN = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")


def require():
    """Replace this process by the same command on a Python that is new enough, or end it in one line."""
    if sys.version_info >= PYTHON_MIN:
        return
    for name in NEWER:
        python = shutil.which(name)
        if python and _works(python):
            os.execv(python, [python, *sys.argv])
    needed, this = (".".join(map(str, version)) for version in (PYTHON_MIN, sys.version_info[:2]))
    sys.exit(
        f"{sys.argv[0]}: Python {needed} or newer is needed, this is {this} ({sys.executable}). "
        "Install it and run this again "
        "(Debian: apt-get install -y python3.11 python3.11-venv; macOS: brew install python)."
    )


def _works(python):
    """Return whether this really is a Python: version managers put up names that only say what else to do."""
    code = f"import sys; sys.exit(sys.version_info < {PYTHON_MIN})"
    return subprocess.call([python, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
