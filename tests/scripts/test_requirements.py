"""The requirement files name all that is imported, and pin all that they bring along."""

import ast
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def _pinned(name: str) -> dict[str, Requirement]:
    """Return what a requirement file and those it includes name, by name."""
    found: dict[str, Requirement] = {}
    for line in (ROOT / name).read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r "):
            found |= _pinned(line.removeprefix("-r "))
        elif line:
            requirement = Requirement(line)
            found[canonicalize_name(requirement.name)] = requirement
    return found


def _needed(requirement: Requirement) -> Iterator[Requirement]:
    """Yield what an installed package needs here, with the extras that are asked for."""
    for text in metadata.requires(requirement.name) or []:
        needed = Requirement(text)
        extras = requirement.extras or {""}
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
            yield needed


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_all_that_a_requirement_file_brings_along_is_pinned(name: str) -> None:
    pinned = _pinned(name)

    needed = {canonicalize_name(other.name) for requirement in pinned.values() for other in _needed(requirement)}

    assert needed - pinned.keys() == set()
    assert [str(requirement) for requirement in pinned.values() if "==" not in str(requirement.specifier)] == []


def test_the_tests_run_with_the_pinned_versions() -> None:
    differing = {
        name: f"{metadata.version(name)}, not {requirement.specifier}"
        for name, requirement in _pinned("requirements-dev.txt").items()
        if not requirement.specifier.contains(metadata.version(name))
    }

    assert differing == {}


def test_all_that_the_api_imports_is_in_its_requirements() -> None:
    files = [ROOT / "wsgi.py", ROOT / "gunicorn.conf.py", *(ROOT / "finance").rglob("*.py")]
    trees = [ast.parse(file.read_text()) for file in files]
    modules = {module.partition(".")[0] for tree in trees for module in _imports(tree)}
    providers = metadata.packages_distributions()

    missing = (
        modules
        - sys.stdlib_module_names
        - {"finance"}
        - {module for module in modules if _pinned("requirements.txt").keys() & _names(providers.get(module, []))}
    )

    assert missing == set()


def _names(distributions: list[str]) -> set[str]:
    return {canonicalize_name(name) for name in distributions}


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
