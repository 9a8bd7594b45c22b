"""Generated pages are current; links, commands, targets and checks that pages name exist."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click
import pytest

from showcost.cli.main import cli
from showcost.config.alerts import AlertPolicy, SmtpSink, VerificationPolicy, WebhookSink
from showcost.core.reason_catalogue import CATALOGUE
from showcost_tests.sample.truth import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

sys.path.insert(0, str(REPOSITORY / "scripts"))
from write_docs import PAGES

DOCS = REPOSITORY / "docs"
WRITTEN = [*sorted(REPOSITORY.glob("*.md")), *sorted(DOCS.rglob("*.md"))]

pages = pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(REPOSITORY)))

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`|^ {4}(.+)$", re.MULTILINE)
_CALL = re.compile(r"(?:^|[/;]\s*)showcost ([a-z-]+)(?: ([a-z]+))?")
_PATH = re.compile(r"(?:showcost|showcost_tests|benchmarks|scripts|data|examples|docs)/[\w./-]*\w")


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _code(page: Path) -> list[str]:
    return [span or block for span, block in _CODE.findall(_text(page))]


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _text(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_made_from_the_code_is_current(name: str) -> None:
    assert _text(DOCS / name) == PAGES[name](), "run `make docs`"


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(_text(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pages
def test_commands_that_are_named_exist(page: Path) -> None:
    for code in _code(page):
        for name, second in _CALL.findall(code):
            command = cli.commands.get(name)
            assert command is not None, code
            if isinstance(command, click.Group) and second:
                assert second in command.commands, code


@pages
def test_files_that_are_named_exist(page: Path) -> None:
    example = "showcost/defs/feeds/acme_rentals"
    for code in _code(page):
        for path in _PATH.findall(code):
            assert path.startswith(example) or (REPOSITORY / path).exists(), code


@pages
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", _text(REPOSITORY / "Makefile"), re.MULTILINE)
    for code in _code(page):
        for target in re.findall(r"^make ([a-z-]+)", code):
            assert target in targets, code


@pages
def test_reason_codes_that_are_named_are_in_the_catalogue(page: Path) -> None:
    for code in re.findall(r"SC-[A-Z]+-\d{3}", _text(page)):
        assert code in CATALOGUE


def test_the_readme_has_a_line_for_every_command() -> None:
    readme = _text(REPOSITORY / "README.md")
    for name in cli.commands:
        assert f"`showcost {name}" in readme or f"`{name}`" in readme, name


def test_the_page_on_alerts_names_every_setting() -> None:
    page = _text(DOCS / "alerts.md")
    models = (AlertPolicy, VerificationPolicy, SmtpSink, WebhookSink)
    names = {name for model in models for name in model.model_fields} - {"type"}
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_every_decision_is_listed() -> None:
    listed = _LINK.findall(_text(DOCS / "decisions" / "README.md"))
    there = sorted(path.name for path in (DOCS / "decisions").glob("0*.md"))
    assert listed == there
