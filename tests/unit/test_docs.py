"""Generated pages are up to date, links lead somewhere, and the README's commands exist."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gradsight.analysis import autograd

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_generated_pages_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tools" / "gen_docs.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:|#", target):
            continue
        assert (page.parent / target.split("#")[0]).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"```\n.*?```", text, flags=re.DOTALL))
    named = re.findall(r"`make ([a-z]+)\b", text) + re.findall(r"^make ([a-z]+)\b", blocks, flags=re.MULTILINE)
    assert set(named) <= targets


OWN = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
OWN += [ROOT / "docs" / "what-it-cannot-see.md"]
ROOMS = [ROOT / room for room in (".", "server", "server/analysis", "server/analysis/interpreter", "server/verify")]
"""What a path in the prose may be relative to."""


@pytest.mark.parametrize("page", OWN, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = re.findall(r"`([\w./-]+\.(?:py|md|json|ts|toml)|[a-z_]+/(?:[\w-]+/)*[\w-]*)`", text)
    missing = [name for name in named if not any((room / name).exists() for room in ROOMS)]
    assert not missing


def test_the_example_of_the_abstract_autograd_runs() -> None:
    done = doctest.testmod(autograd)
    assert done.attempted > 10 and not done.failed
