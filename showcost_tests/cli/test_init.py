"""`showcost init`: a new data folder by options or by asking, on which the other commands work."""

from __future__ import annotations

import io
import shutil
import sys
from datetime import date
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.config.feeds import load_feeds
from showcost.config.new_production import CONTROL_ACCOUNTS, make_home
from showcost.config.production import Production, load_production
from showcost.core.errors import ConfigError
from showcost.workspace import open_workspace
from showcost_tests.defs.loading import load

if TYPE_CHECKING:
    from pathlib import Path

    from showcost_tests.command_line import CommandLine

ANSWERS: Final = {
    "--code": "NF-1",
    "--title": 'Night: "Ferry" #1',
    "--company": "Nachtfähre Film GmbH",
    "--type": "television",
    "--base-currency": "EUR",
    "--timezone": "Europe/Berlin",
    "--start": "2026-10-01",
    "--end": "2026-10-09",
}
OPTIONS: Final = [text for pair in ANSWERS.items() for text in pair]
FEED: Final = "example_invoices"


def _without(option: str) -> list[str]:
    return [text for name, value in ANSWERS.items() if name != option for text in (name, value)]


def _tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def test_the_options_become_the_settings_of_a_production(tmp_path: Path, showcost: CommandLine) -> None:
    folder = tmp_path / "new" / "ferry"
    ended = showcost(None, "init", str(folder), *OPTIONS, "--currency", "USD", "--currency", "GBP", "--json")
    assert (ended.status, ended.err) == (0, "")
    assert (ended.json["home"], ended.json["code"], ended.json["feeds"]) == (str(folder), "NF-1", [FEED])
    workspace = open_workspace(folder)
    production = workspace.production
    assert (production.code, production.title) == ("NF-1", 'Night: "Ferry" #1')
    assert (production.company, production.type) == ("Nachtfähre Film GmbH", "television")
    assert (production.base_currency, production.currencies) == ("EUR", ("EUR", "USD", "GBP"))
    assert production.timezone == "Europe/Berlin"
    assert (production.dates.start, production.dates.end) == (date(2026, 10, 1), date(2026, 10, 9))
    files = [name for name, content in _tree(folder).items() if content is not None]
    assert sorted(ended.json["files"]) == files
    assert (folder / "inbox" / FEED).is_dir()


def test_the_chart_is_complete_and_the_budget_empty(tmp_path: Path, showcost: CommandLine) -> None:
    showcost(None, "init", str(tmp_path / "new"), *OPTIONS)
    workspace = open_workspace(tmp_path / "new")
    names = {number: workspace.chart[number].name for number in ("9210", "9220", "9230")}
    assert names == {"9210": "Accounts payable", "9220": "Payroll clearing", "9230": "Permits payable"}
    controls = workspace.production.control_accounts
    kinds = [
        workspace.chart[number].kind
        for number in (controls.recoverable_tax, controls.refundable_deposit, controls.fringe)
    ]
    assert kinds == ["balance", "balance", "cost"]
    costs = {account.number for account in workspace.chart if account.kind == "cost"}
    assert set(workspace.budget.amounts) == costs
    assert workspace.budget.total == 0


def test_the_other_commands_work_on_a_new_production(tmp_path: Path, showcost: CommandLine) -> None:
    folder = tmp_path / "new"
    showcost(None, "--home", str(folder), "init", *OPTIONS)
    empty = showcost(str(folder), "status", "--json").json
    assert (empty["total"]["received"], empty["balances"]) == (0, True)
    example = folder / "feeds" / FEED / "example.csv"
    parsed = showcost(str(folder), "parse", str(example), "--feed", FEED, "--json")
    assert (parsed.json["landing"]["valid"], parsed.json["landing"]["codes"]) == (2, {})
    shutil.copyfile(example, folder / "inbox" / FEED / "first.csv")
    landed = showcost(str(folder), "land", "--json")
    assert landed.json["dates_touched"] == {FEED: ["2026-10-01"]}
    total = showcost(str(folder), "status", "--json").json["total"]
    assert (total["received"], total["posted"]) == (2, 0)


@pytest.mark.slow
def test_a_run_posts_the_example(tmp_path: Path, showcost: CommandLine) -> None:
    folder = tmp_path / "new"
    showcost(None, "init", str(folder), *OPTIONS)
    shutil.copy(folder / "feeds" / FEED / "example.csv", folder / "inbox" / FEED)
    showcost(str(folder), "land")
    ran = showcost(str(folder), "run", "--json")
    assert (ran.status, ran.json["success"]) == (0, True)
    total = showcost(str(folder), "status", "--json").json["total"]
    assert (total["received"], total["posted"]) == (2, 2)


ANSWERED = {
    "all defaults": (
        [""] * 9,
        (
            "Night Ferry",
            "NIGHT-FERRY",
            "Night Ferry Productions",
            "theatrical",
            ("USD",),
            "America/Los_Angeles",
        ),
    ),
    "answers, some of them wrong at first": (
        [
            *("Fähre", "fähre", "F", "F GmbH", "opera", "streaming", "EURO", "EUR"),
            *("USD, XXY", "USD, gbp", "USD GBP", "", "", ""),
        ],
        ("Fähre", "F", "F GmbH", "streaming", ("EUR", "USD", "GBP"), "Europe/Berlin"),
    ),
}


def _on_a_terminal(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    terminal = io.StringIO("".join(f"{line}\n" for line in lines))
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)


@pytest.mark.parametrize("case", ANSWERED)
def test_missing_options_are_asked_for_on_a_terminal(
    case: str, tmp_path: Path, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, expected = ANSWERED[case]
    _on_a_terminal(monkeypatch, *lines)
    ended = showcost(None, "init", str(tmp_path / "night_ferry"), "--json")
    assert ended.status == 0
    assert ended.json["home"] == str(tmp_path / "night_ferry")
    made = open_workspace(tmp_path / "night_ferry").production
    assert (made.title, made.code, made.company, made.type) == expected[:4]
    assert (made.currencies, made.timezone) == expected[4:]
    assert (made.dates.end - made.dates.start).days == 364


def test_only_missing_options_are_asked_for(
    tmp_path: Path, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _on_a_terminal(monkeypatch, "Other title")
    ended = showcost(None, "init", str(tmp_path / "new"), *_without("--title"))
    assert (ended.status, ended.err) == (0, "Title [New]: ")
    assert open_workspace(tmp_path / "new").production.title == "Other title"


def test_the_folder_is_asked_for_too(
    tmp_path: Path, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _on_a_terminal(monkeypatch, str(tmp_path / "new"))
    assert showcost(None, "init", *OPTIONS).status == 0
    assert open_workspace(tmp_path / "new").production.code == "NF-1"


FAULTS = {
    "--code": ("night ferry", "Invalid value for '--code': 'night ferry' is not a code of at most 24"),
    "--title": (" ", "Invalid value for '--title': ' ' is not printable text on one line"),
    "--company": ("a\nb", "Invalid value for '--company': 'a\\nb' is not printable text on one line"),
    "--type": ("opera", "Invalid value for '--type': 'opera' is not one of"),
    "--base-currency": ("EURO", "Invalid value for '--base-currency': 'EURO' is not an ISO 4217 currency"),
    "--timezone": ("Berlin", "Invalid value for '--timezone': 'Berlin' is not an IANA time zone such as"),
    "--start": (
        "1.10.2026",
        "Invalid value for '--start': '1.10.2026' does not match the format '%Y-%m-%d'.",
    ),
    "--end": ("2026-09-30", "--end 2026-09-30 is before --start 2026-10-01"),
}


@pytest.mark.parametrize("option", FAULTS)
def test_a_wrong_option_is_named_and_nothing_is_made(
    option: str, tmp_path: Path, showcost: CommandLine
) -> None:
    value, sentence = FAULTS[option]
    ended = showcost(None, "init", str(tmp_path / "new"), *_without(option), option, value)
    assert ended.status == 2
    assert ended.sentence.startswith(sentence)
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_the_missing_options_are_named(tmp_path: Path, showcost: CommandLine) -> None:
    options = ["--code", "NF", "--title", "T", "--start", "2026-10-01", "--timezone", "Europe/Berlin"]
    ended = showcost(None, "init", str(tmp_path / "new"), *options)
    assert ended.status == 2
    assert ended.sentence == (
        "without a terminal to ask on, `showcost init` needs --company, --type, --base-currency, --end"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_named_once(
    tmp_path: Path, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert showcost(None, "init", *OPTIONS).sentence == "name the folder to make: `showcost init FOLDER`"
    assert showcost(None, "init", "", *OPTIONS).sentence == "FOLDER is empty; name the folder to make"
    twice = showcost(None, "init", "a", "--home", "b", *OPTIONS)
    assert twice.sentence == "name the folder once: as FOLDER or with --home"
    assert list(tmp_path.iterdir()) == []
    assert showcost("by_variable", "init", *OPTIONS, "--json").json["home"] == str(tmp_path / "by_variable")
    by_argument = showcost(str(tmp_path / "by_variable"), "init", "by_argument", *OPTIONS, "--json")
    assert by_argument.json["home"] == str(tmp_path / "by_argument")


@pytest.mark.parametrize("content", ["notes.txt", ".hidden", "production.yaml", "inbox/file.csv"])
def test_a_folder_that_is_not_empty_is_left_as_it_is(
    content: str, tmp_path: Path, showcost: CommandLine
) -> None:
    (tmp_path / content).parent.mkdir(exist_ok=True)
    (tmp_path / content).write_text("mine", encoding="utf-8")
    before = _tree(tmp_path)
    ended = showcost(None, "init", str(tmp_path), *OPTIONS)
    sentence = f"{tmp_path} is not empty; choose a new or empty folder"
    assert (ended.status, ended.sentence) == (2, sentence)
    assert _tree(tmp_path) == before


def test_the_same_command_again_is_done_already(tmp_path: Path, showcost: CommandLine) -> None:
    command = ("init", str(tmp_path / "new"), *OPTIONS)
    first = showcost(None, *command, "--json")
    (tmp_path / "new" / "inbox" / "further").mkdir()
    before = _tree(tmp_path)
    again = showcost(None, *command, "--json")
    assert (first.status, again.status) == (0, 0)
    assert again.json == first.json | {"already_done": True}
    assert "Already done" in showcost(None, *command).out
    assert _tree(tmp_path) == before
    chart = tmp_path / "new" / "chart_of_accounts.csv"
    chart.write_text(chart.read_text(encoding="utf-8") + "9999,Mine,cost,,\n", encoding="utf-8")
    assert "is not empty; choose a new or empty folder" in showcost(None, *command).sentence


def test_a_file_or_a_folder_that_cannot_be_written_is_named(tmp_path: Path, showcost: CommandLine) -> None:
    file = tmp_path / "file"
    file.touch()
    assert showcost(None, "init", str(file), *OPTIONS).sentence == f"{file} is a file; choose another folder"
    ended = showcost(None, "init", str(file / "new"), *OPTIONS)
    assert ended.status == 2
    assert ended.sentence == f"{file / 'new'} cannot be written (Not a directory); choose another folder"


def test_the_working_directory_can_be_the_new_folder(
    tmp_path: Path, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert showcost(None, "init", ".", *OPTIONS, "--json").json["home"] == str(tmp_path)


def test_an_interrupted_init_leaves_no_data_folder_and_can_be_repeated(
    tmp_path: Path, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "new"
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.rename", interrupted)
        assert showcost(None, "init", str(folder), *OPTIONS).status == 1
    assert showcost(str(folder), "status").sentence.startswith(f"{folder}: not a data folder")
    assert showcost(None, "init", str(folder), *OPTIONS).status == 0
    assert showcost(None, "init", str(tmp_path / "other"), *OPTIONS).status == 0
    assert _tree(folder) == _tree(tmp_path / "other")


@settings(max_examples=50)
@given(title=st.text(min_size=1), company=st.text(alphabet="\"\\'#:{}[]$%&*!|>-,\u0085 ä🎬", min_size=1))
def test_every_text_comes_back_from_the_settings(
    title: str, company: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not (title.isprintable() and title.strip() and company.isprintable() and company.strip()):
        return
    dates = {"start": date(2026, 10, 1), "end": date(2026, 10, 9)}
    production = Production.model_validate(
        {
            "code": "007",
            "title": title,
            "company": company,
            "type": "streaming",
            "base_currency": "NOK",
            "timezone": "Europe/Oslo",
            "dates": dates,
            "principal_photography": dates,
            "currencies": ("NOK", "TRY"),
            "control_accounts": CONTROL_ACCOUNTS,
        }
    )
    folder = tmp_path_factory.mktemp("texts") / "home"
    make_home(folder, production)
    made = load_production(folder)
    assert made.model_copy(update={"fx": production.fx}) == production


def test_a_feed_of_the_data_folder_is_a_feed_of_its_production_alone(
    tmp_path: Path, showcost: CommandLine
) -> None:
    showcost(None, "init", str(tmp_path), *OPTIONS)
    workspace = open_workspace(tmp_path)
    assert [feed.name for feed in workspace.feeds] == [FEED]
    assert FEED not in {feed.name for feed in load_feeds()}
    keys = {
        key.to_user_string() for key in load(tmp_path).get_repository_def().asset_graph.get_all_asset_keys()
    }
    assert f"posted_{FEED}" in keys


def test_two_feeds_of_one_name_are_named_with_their_files(tmp_path: Path, showcost: CommandLine) -> None:
    showcost(None, "init", str(tmp_path), *OPTIONS)
    shutil.copytree(tmp_path / "feeds" / FEED, tmp_path / "feeds" / "copy")
    with pytest.raises(ConfigError, match="expected a name that no other feed has"):
        _ = open_workspace(tmp_path).feeds
    ended = showcost(str(tmp_path), "land")
    assert ended.status == 2
    assert ended.sentence.startswith(f"{tmp_path}/feeds/example_invoices/defs.yaml: attributes.name")
