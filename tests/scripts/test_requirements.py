"""The requirement files name all that is imported, and lock all that they bring along."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements", "requirements-dev", "requirements-mongodb")
INSTALLED = LOCKS[:2]  # the embedded mongod may be one of the system's


def _named(source: str) -> dict[str, Requirement]:
    """Return what a .in file and those that it includes name, by name."""
    found: dict[str, Requirement] = {}
    for line in (ROOT / source).read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r "):
            found |= _named(line.removeprefix("-r "))
        elif line:
            requirement = Requirement(line)
            found[canonicalize_name(requirement.name)] = requirement
    return found


def _locked(lock: str) -> dict[str, str]:
    """Return the entries of a lock by name, each with its hashes and what it is there for."""
    entries = re.split(r"^(?=[A-Za-z0-9])", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]
    ours_last = sorted(entries, key=lambda entry: _is_for_us(_requirement(entry)))  # some have one for each system
    return {canonicalize_name(_requirement(entry).name): entry for entry in ours_last}


def _requirement(entry: str) -> Requirement:
    return Requirement(entry.partition("\n")[0].removesuffix("\\").strip())


def _pinned(lock: str) -> dict[str, Requirement]:
    """Return what a lock holds for this Python and system, by name."""
    found = {name: _requirement(entry) for name, entry in _locked(lock).items()}
    return {name: each for name, each in found.items() if _is_for_us(each)}


def _is_for_us(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


def _needed(requirement: Requirement) -> Iterator[Requirement]:
    """Yield what an installed package needs here, with the extras that are asked for."""
    for text in metadata.requires(requirement.name) or []:
        needed = Requirement(text)
        extras = requirement.extras or {""}
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
            yield needed


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_what_its_source_names_and_nothing_that_nobody_needs(name: str) -> None:
    named, locked = _named(f"{name}.in"), _locked(f"{name}.txt")

    for key, requirement in named.items():
        assert key in locked, f"{name}.txt has no {requirement}: run scripts/lock"
        held = _requirement(locked[key])
        version = str(held.specifier).removeprefix("==")
        assert requirement.specifier.contains(version), f"{name}.txt has {held}, not {requirement}: run scripts/lock"
    for key, entry in locked.items():
        reasons = set(re.findall(r"^    #(?: via)? +(?:via )?(\S.*)$", entry, re.MULTILINE))
        needed_by = {canonicalize_name(reason) for reason in reasons if not reason.startswith("-")}
        assert key in named or needed_by & locked.keys(), f"{name}.txt has {key} for {reasons}: run scripts/lock"


@pytest.mark.parametrize("name", LOCKS)
def test_every_entry_of_a_lock_is_one_version_with_the_hashes_of_its_files(name: str) -> None:
    for entry in _locked(f"{name}.txt").values():
        assert re.fullmatch(r"==[^*,]+", str(_requirement(entry).specifier)), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_registry(name: str) -> None:
    text = (ROOT / f"{name}.txt").read_text() + (ROOT / f"{name}.in").read_text()

    assert "://" not in text
    assert not re.search(r"^\s*--(index-url|extra-index-url|find-links|trusted-host)", text, re.MULTILINE)


def test_tests_run_with_the_versions_that_run() -> None:
    what_runs, what_tests = _locked("requirements.txt"), _locked("requirements-dev.txt")

    versions = {name: _requirement(entry).specifier for name, entry in what_runs.items()}
    assert versions == {name: _requirement(what_tests[name]).specifier for name in what_runs}


@pytest.mark.parametrize("name", INSTALLED)
def test_all_that_a_lock_brings_along_is_in_it(name: str) -> None:
    pinned = _pinned(f"{name}.txt")

    needed = {canonicalize_name(other.name) for requirement in pinned.values() for other in _needed(requirement)}

    assert needed - pinned.keys() == set()


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
