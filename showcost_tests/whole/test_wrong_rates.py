"""A wrong rate is refused, blocked, and taken back: its entries are reversed and posted at the right one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from showcost.checks.fx import pinned_rates
from showcost.checks.verify import verify
from showcost.core.errors import InputError
from showcost.core.hashing import sha256_file
from showcost.ledger.active_entries import active_condition, entries_as_of
from showcost.ledger.periods import Period
from showcost.pipeline.due import due_by_landing, due_by_rates
from showcost.pipeline.fx_repinning import repin
from showcost.pipeline.periods import close_period
from showcost.pipeline.rate_files import (
    ImportDecision,
    accept_rates,
    import_rates,
    imported_folder,
    stored_history,
)
from showcost.reconciliation.queue import QueueFilter, RowState, queue_rows
from showcost.workspace import open_workspace
from showcost_tests.fx.independent import published
from showcost_tests.whole import small
from showcost_tests.whole.steps import take, totals

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy

WHO, WHY = "A. Accountant", "the bank's slip"
REPLACE = ImportDecision(replace=True, who=WHO, why=WHY)
ACCEPT = ImportDecision(accept_jump=True, who=WHO, why=WHY)
CODES = ("CAD", "GBP", "USD")


def rate_file(folder: Path, name: str, rates: dict[date, dict[str, str]]) -> Path:
    path = folder / name
    rows = [[day.isoformat(), *(of_day[code] for code in CODES)] for day, of_day in rates.items()]
    path.write_text(small.delimited([["Date", *CODES], *rows]), encoding="utf-8")
    return path


def monday(**changed: str) -> dict[date, dict[str, str]]:
    """Return the rates of Monday and Tuesday: those of Friday, with some changed on Monday."""
    friday = {code: format(published()[small.FRIDAY][code], "f") for code in CODES}
    return {small.TUESDAY: friday, small.MONDAY: friday | changed}


def slipped(code: str = "GBP") -> str:
    return format(published()[small.FRIDAY][code] * 10, "f")


def amounts(workspace: Workspace, day: date, as_of: int | None = None) -> list[tuple[str, Decimal, Decimal]]:
    """Return currency, rate and base amount of the active entries of a day."""
    with workspace.ledger.read() as connection:
        return connection.execute(
            f"WITH entries AS (FROM {entries_as_of(as_of)})"  # noqa: S608 - no values
            " SELECT currency, rate, base_amount FROM entries"
            f" WHERE transaction_date = $day AND {active_condition('entries')} ORDER BY ALL",
            {"day": day},
        ).fetchall()


def codes_on(workspace: Workspace, day: date) -> set[str]:
    rows = queue_rows(workspace, workspace.feeds, QueueFilter(states=tuple(RowState)))
    return {code for row in rows if row.day == day for code in row.codes}


def due(workspace: Workspace) -> set[date]:
    return {
        day
        for feed in workspace.feeds
        for day in (*due_by_landing(workspace, feed).dates, *due_by_rates(workspace, feed))
    }


@pytest.mark.parametrize("wrong", [slipped("GBP"), format(1 / published()[small.FRIDAY]["GBP"], ".6f")])
def test_a_rate_that_jumps_is_not_imported(posted_home: Workspace, copy: Copy, wrong: str) -> None:
    workspace = copy(posted_home)
    file = rate_file(workspace.path, "wrong.csv", monday(GBP=wrong))
    before = stored_history(workspace).last
    with pytest.raises(InputError, match=rf"GBP of 2026-11-02 is {wrong.rstrip('0')}, after .*--accept-jump"):
        import_rates(workspace, file)
    with pytest.raises(InputError, match="--who and --why"):
        import_rates(workspace, file, ImportDecision(accept_jump=True))
    assert stored_history(workspace).last == before == small.FRIDAY


def test_a_rate_that_contradicts_a_known_one_is_not_imported(posted_home: Workspace, copy: Copy) -> None:
    workspace = copy(posted_home)
    file = rate_file(
        workspace.path,
        "wrong.csv",
        {small.FRIDAY: {code: format(published()[small.FRIDAY][code] + 1, "f") for code in CODES}},
    )
    with pytest.raises(InputError, match=r"contradicts known rates \(3\): CAD of 2026-10-30 is .*--replace"):
        import_rates(workspace, file, ACCEPT)
    # Not even if the file that it contradicts is gone: the pinned rates are known.
    for path in imported_folder(workspace).iterdir():
        path.unlink()
    with pytest.raises(InputError, match="contradicts known rates"):
        import_rates(workspace, file, ACCEPT)


def test_a_file_that_was_put_there_with_a_jump_blocks_its_rows(posted_home: Workspace, copy: Copy) -> None:
    workspace = copy(posted_home)
    file = rate_file(workspace.path, "wrong.csv", monday(GBP=slipped()))
    (imported_folder(workspace) / sha256_file(file)).write_bytes(file.read_bytes())
    take(workspace, small.WEEK)
    assert "SC-FX-004" in codes_on(workspace, small.MONDAY)
    assert {currency for currency, _, _ in amounts(workspace, small.MONDAY)} == {"EUR"}
    assert verify(workspace).first is None
    assert not due(workspace)
    # Accepted, the rate is used, and its rows are due.
    accepted = accept_rates(workspace, [(small.MONDAY, "GBP", Decimal(slipped()))], ACCEPT)
    assert len(accepted) == 1
    assert accept_rates(workspace, [(small.MONDAY, "GBP", Decimal(slipped()))], ACCEPT) == []
    assert small.MONDAY in due(workspace)
    take(workspace, small.WEEK)
    assert {currency for currency, _, _ in amounts(workspace, small.MONDAY)} == {"EUR", "GBP"}
    assert totals(workspace).balances


def test_a_jump_of_the_base_currency_blocks_the_other_currencies(posted_home: Workspace, copy: Copy) -> None:
    workspace = copy(posted_home)
    file = rate_file(workspace.path, "wrong.csv", monday(USD=slipped("USD")))
    (imported_folder(workspace) / sha256_file(file)).write_bytes(file.read_bytes())
    take(workspace, small.WEEK)
    assert amounts(workspace, small.MONDAY) == []
    # The day after is a jump back, but an amount in the base currency needs no rate.
    assert {currency for currency, _, _ in amounts(workspace, small.TUESDAY)} == {"USD"}


@pytest.fixture
def wrongly_posted(posted_home: Workspace, copy: Copy) -> Workspace:
    """Return the small production with Monday posted at a wrong rate, which a person accepted."""
    workspace = copy(posted_home)
    import_rates(workspace, rate_file(workspace.path, "wrong.csv", monday(GBP=slipped())), ACCEPT)
    accept_rates(workspace, [(small.TUESDAY, "GBP", published()[small.FRIDAY]["GBP"])], ACCEPT)
    take(workspace, small.WEEK)
    return workspace


def right_amounts(posted_home: Workspace, copy: Copy) -> list[tuple[str, Decimal, Decimal]]:
    clean = copy(posted_home, "clean")
    import_rates(clean, rate_file(clean.path, "right.csv", monday()))
    take(clean, small.WEEK)
    return amounts(clean, small.MONDAY)


def test_a_wrong_rate_is_taken_back(wrongly_posted: Workspace, posted_home: Workspace, copy: Copy) -> None:
    workspace, right = wrongly_posted, right_amounts(posted_home, copy)
    wrong = amounts(workspace, small.MONDAY)
    assert [line for line in wrong if line[0] == "EUR"] == [line for line in right if line[0] == "EUR"]
    assert wrong != right
    before = workspace.audit.head().seq
    file = rate_file(workspace.path, "right.csv", monday())
    with pytest.raises(InputError, match=r"contradicts known rates \(1\): GBP of 2026-11-02"):
        import_rates(workspace, file)
    imported = import_rates(workspace, file, REPLACE)
    assert list(imported.replaced) == [small.MONDAY]
    assert import_rates(workspace, file, REPLACE).again
    assert amounts(workspace, small.MONDAY) == wrong, "a pinned date does not change by an import"

    result = repin(workspace, [small.MONDAY], who=WHO, why=WHY)
    assert amounts(workspace, small.MONDAY) == right
    assert verify(workspace).first is None
    assert totals(workspace).balances
    assert not due(workspace)
    # As of before, all is as it was; the euro entries were left alone.
    assert amounts(workspace, small.MONDAY, before) == wrong
    assert result.record is not None
    for as_of, rate in (
        (result.record.seq - 1, slipped()),
        (result.record.seq, monday()[small.MONDAY]["GBP"]),
    ):
        rates = pinned_rates(workspace, [small.MONDAY], as_of)[small.MONDAY]
        assert {Decimal(text) for code, text, _, _ in rates if code == "GBP"} == {Decimal(rate)}
    with workspace.ledger.read() as connection:
        kinds = connection.execute(
            "SELECT currency, entry_kind, count(*) FROM ledger_entries WHERE transaction_date = $day"
            " GROUP BY ALL ORDER BY ALL",
            {"day": small.MONDAY},
        ).fetchall()
    assert [kind for kind in kinds if kind[0] == "EUR"] == [("EUR", "posting", 2)]
    assert ("GBP", "reversal", 1) in kinds
    assert ("GBP", "posting", 2) in kinds
    # Again: nothing is left to do, and nothing is recorded.
    head = workspace.audit.head()
    again = repin(workspace, [small.MONDAY], who=WHO, why=WHY)
    assert (again.record, again.appended) == (None, {})
    assert workspace.audit.head() == head


@pytest.mark.slow
def test_a_rate_that_comes_after_its_date_was_pinned_makes_the_date_due(
    posted_home: Workspace, copy: Copy
) -> None:
    workspace = copy(posted_home)
    partial = workspace.path / "partial.csv"
    whole = monday()
    rows = [[day.isoformat(), of_day["CAD"], of_day["USD"]] for day, of_day in whole.items()]
    partial.write_text(small.delimited([["Date", "CAD", "USD"], *rows]), encoding="utf-8")
    import_rates(workspace, partial)
    take(workspace, [small.MONDAY])
    assert "SC-FX-002" in codes_on(workspace, small.MONDAY)
    assert due(workspace) == set()
    import_rates(workspace, rate_file(workspace.path, "whole.csv", whole), REPLACE)
    repin(workspace, [small.MONDAY], who=WHO, why=WHY)
    if "SC-FX-002" in codes_on(workspace, small.MONDAY):
        assert due(workspace) == {small.MONDAY}
        take(workspace, [small.MONDAY])
    assert "SC-FX-002" not in codes_on(workspace, small.MONDAY)
    assert due(workspace) == set()
    assert "GBP" in {currency for currency, *_ in amounts(workspace, small.MONDAY)}


def test_a_date_can_be_repinned_back_and_forth(wrongly_posted: Workspace) -> None:
    workspace = wrongly_posted
    wrong = amounts(workspace, small.MONDAY)
    import_rates(workspace, rate_file(workspace.path, "right.csv", monday()), REPLACE)
    repin(workspace, [small.MONDAY], who=WHO, why=WHY)
    right = amounts(workspace, small.MONDAY)
    back = ImportDecision(replace=True, accept_jump=True, who=WHO, why=WHY)
    import_rates(workspace, rate_file(workspace.path, "again.csv", monday(GBP=slipped())), back)
    repin(workspace, [small.MONDAY], who=WHO, why=WHY)
    assert amounts(workspace, small.MONDAY) == wrong
    import_rates(workspace, rate_file(workspace.path, "right.csv", monday()), REPLACE)
    repin(workspace, [small.MONDAY], who=WHO, why=WHY)
    assert amounts(workspace, small.MONDAY) == right
    assert verify(workspace).first is None
    assert not due(workspace)


def test_a_repinning_that_dies_before_its_entries_is_due(
    wrongly_posted: Workspace, posted_home: Workspace, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = wrongly_posted
    import_rates(workspace, rate_file(workspace.path, "right.csv", monday()), REPLACE)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("showcost.pipeline.fx_repinning.validate_partitions", die)
        with pytest.raises(KeyboardInterrupt):
            repin(workspace, [small.MONDAY], who=WHO, why=WHY)
    workspace = open_workspace(workspace.path)
    assert due(workspace) == {small.MONDAY}
    assert verify(workspace).first is None
    copied = copy(workspace, "again")
    take(workspace, small.WEEK)
    repin(copied, [small.MONDAY], who=WHO, why=WHY)
    right = right_amounts(posted_home, copy)
    assert amounts(workspace, small.MONDAY) == amounts(copied, small.MONDAY) == right


def test_what_cannot_be_repinned_is_said(wrongly_posted: Workspace) -> None:
    workspace = wrongly_posted
    with pytest.raises(InputError, match="2026-12-24 is not pinned"):
        repin(workspace, [date(2026, 12, 24)], who=WHO, why=WHY)
    import_rates(workspace, rate_file(workspace.path, "right.csv", monday()), REPLACE)
    close_period(
        workspace, workspace.feeds, Period("P1", small.MONDAY, small.MONDAY, closed=True), who=WHO, why=WHY
    )
    with pytest.raises(InputError, match="2026-11-02 lies in the closed period P1; reopen"):
        repin(workspace, [small.MONDAY], who=WHO, why=WHY)


def test_files_that_contradict_each_other_are_mended_by_an_import(posted_home: Workspace, copy: Copy) -> None:
    workspace = copy(posted_home)
    for name, rates in (("a.csv", monday(GBP=slipped())), ("b.csv", monday())):
        file = rate_file(workspace.path, name, rates)
        (imported_folder(workspace) / sha256_file(file)).write_bytes(file.read_bytes())
    right = rate_file(workspace.path, "right.csv", {**monday(), date(2026, 11, 4): monday()[small.MONDAY]})
    import_rates(workspace, right, REPLACE)
    (gbp,) = [
        row["rate"]
        for row in stored_history(workspace).rates.to_pylist()
        if (row["date"], row["currency"]) == (small.MONDAY, "GBP")
    ]
    assert gbp == monday()[small.MONDAY]["GBP"]
