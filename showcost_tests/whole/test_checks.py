"""Every check can fail: after a change of stored data, the right check reports it, and no other.

The message of a check is shown in the UI and by `showcost run`: it names the difference.
"""
# ruff: noqa: S608 -- statements of constants of our own

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa
import pytest

from showcost.audit import transitions as states
from showcost.audit.log import FILES
from showcost.audit.transitions import AuditKind
from showcost.config.feeds import load_feeds
from showcost.core.hashing import sha256_file
from showcost.fx.snapshot_plan import HASH_SQL, ID_SQL
from showcost.ingest.landing import land, landed
from showcost.pipeline.rate_files import imported_folder
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import quarantine_undated, validate_partitions
from showcost.reports.cost.basis import _ENTRIES, report_basis
from showcost.reports.cost.report import write_report
from showcost.staging import PartitionRows
from showcost.staging.assets import records_asset, valid_asset
from showcost_tests.defs.loading import HOMES, load
from showcost_tests.fx.independent import published
from showcost_tests.whole import small
from showcost_tests.whole.all_checks import NAMES, failing
from showcost_tests.whole.entries import tamper
from showcost_tests.whole.staged import rewrite
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy

GOOD = [
    small.spend("T1", "28/10/2026", "30,000.00"),
    small.spend("T2", "29/10/2026", "25,000.10"),
    small.spend("T3", "29/10/2026", "-1.01"),
    small.spend("T4", "01/11/2026", "40000"),
]


def _delivery(*rows: list[str]) -> str:
    return small.delimited([small.UK_HEADER.split(","), *rows])


def _feed() -> FeedSpec:
    (feed,) = load_feeds(small.UKSPEND)
    return feed


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a production on which every check passes."""
    workspace = small.make_home(tmp_path_factory.mktemp("sound") / "home", small.UKSPEND)
    small.deliver(workspace, "uk_spend", "week.csv", _delivery(*GOOD))
    land_all(workspace)
    take(workspace, small.WEEK)
    return workspace


def test_every_check_is_covered() -> None:
    keys = load(HOMES["uk_spend"]).get_repository_def().asset_graph.asset_check_keys
    shown = {f"{key.asset_key.to_user_string().removesuffix('_uk_spend')} {key.name}" for key in keys}
    # The nightly verification has tests of its own (`whole/test_nightly.py`).
    assert shown == NAMES | {"verification verified"}


def test_every_check_passes_on_a_sound_production(sound: Workspace) -> None:
    assert failing(sound) == {}


def test_every_check_passes_before_the_first_run(tmp_path: Path) -> None:
    workspace = small.make_home(tmp_path / "new", small.UKSPEND)
    take(workspace, small.WEEK, feeds=["uk_spend"])
    assert failing(workspace) == {}


def _refused_delivery(workspace: Workspace) -> None:
    small.deliver(workspace, "uk_spend", "letter.csv", "Dear Sir,\r\nplease find enclosed\r\n")
    land(workspace, _feed())


def _record_lost(workspace: Workspace) -> None:
    store, (delivery,) = workspace.staging, landed(workspace, _feed())
    asset = records_asset("uk_spend")
    sha256 = delivery.arrival.delivery
    rows = PartitionRows(sha256, store.read(asset, sha256).slice(1), store.existing(asset, sha256).inputs)
    store.write_together(
        {asset: [rows]},
        lambda files: workspace.audit.append(
            AuditKind.RECORDS_READ,
            {"feed": "uk_spend", FILES: files},
            subjects=[states.delivery(sha256)],
        ),
    )


def _undated_row(workspace: Workspace) -> None:
    small.deliver(
        workspace, "uk_spend", "undated.csv", _delivery(small.spend("T9", "31/11/2026", "26,000.00"))
    )
    land(workspace, _feed())
    quarantine_undated(workspace, _feed())


def _rejected_row(workspace: Workspace) -> None:
    small.deliver(workspace, "uk_spend", "bad.csv", _delivery(small.spend("T9", "28/10/2026", "n/a")))
    land(workspace, _feed())
    take(workspace, [small.WEDNESDAY])


def _not_posted(workspace: Workspace) -> None:
    small.deliver(workspace, "uk_spend", "more.csv", _delivery(small.spend("T9", "28/10/2026", "5.00")))
    land(workspace, _feed())
    write_raw_rows(workspace, _feed(), [small.WEDNESDAY])
    validate_partitions(workspace, _feed(), [small.WEDNESDAY])


def _rewrite(workspace: Workspace, asset: str, day: date, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change the rows of a partition and record them, as a faulty program would."""
    rewrite(workspace, "uk_spend", asset, day.isoformat(), change)


def _content_blank(workspace: Workspace) -> None:
    def blank(rows: pa.Table) -> pa.Table:
        index = rows.schema.get_field_index("content")
        return rows.set_column(index, rows.schema.field(index), pa.array([None] * len(rows), pa.string()))

    _rewrite(workspace, valid_asset("uk_spend"), small.SUNDAY, blank)


def _valid_row_lost(workspace: Workspace) -> None:
    _rewrite(workspace, valid_asset("uk_spend"), small.THURSDAY, lambda rows: rows.slice(1))


def _description_changed(workspace: Workspace) -> None:
    tamper(workspace, "UPDATE ledger_entries SET description = 'x' WHERE transaction_date = '2026-10-28'")


def _control_account_missing(workspace: Workspace) -> None:
    path = workspace.path / "production.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("accounts_payable: 9210, ", ""), encoding="utf-8")
    # Read once, on first access.
    vars(workspace).pop("production", None)


def _order_required(workspace: Workspace) -> None:
    path = workspace.path / "production.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}purchase_orders: {{required_from: 45000}}\n", encoding="utf-8")
    vars(workspace).pop("production", None)


def _budget_lost(workspace: Workspace) -> None:
    (workspace.path / "budget.csv").write_text("account,amount,description\n", encoding="utf-8")
    vars(workspace).pop("budget", None)


def _pack_changed(workspace: Workspace) -> None:
    _, pack = write_report(workspace, report_basis(workspace))
    file = pack.folder / "csv" / "bridge.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("0", "1"), encoding="utf-8")


def _trigger_dropped(workspace: Workspace) -> None:
    with duckdb.connect(workspace.ledger.path) as connection:
        connection.execute("DROP TRIGGER ledger_entries_no_update ON ledger_entries")


def _batch_total_changed(workspace: Workspace) -> None:
    tamper(workspace, "UPDATE batches SET base_total = base_total + 0.01 WHERE partition_date = '2026-11-01'")


def _entry_removed(workspace: Workspace) -> None:
    tamper(workspace, "DELETE FROM ledger_entries WHERE transaction_date = '2026-11-01'")


_RATE_CHANGED = """
UPDATE fx_rates SET rate = rate + 0.0001 FROM fx_snapshots AS day
WHERE currency = 'GBP' AND fx_rates.snapshot_id = day.snapshot_id AND snapshot_date = '2026-10-28'
"""
_FORGED = (
    f"""UPDATE fx_snapshots SET hash = found.hash FROM (
        SELECT snapshot_id, {HASH_SQL} AS hash
        FROM fx_snapshots JOIN fx_rates USING (snapshot_id) GROUP BY snapshot_id) AS found
    WHERE fx_snapshots.snapshot_id = found.snapshot_id""",
    f"""UPDATE fx_rates SET snapshot_id = {ID_SQL} FROM fx_snapshots AS day
    WHERE fx_rates.snapshot_id = day.snapshot_id""",
    f"UPDATE fx_snapshots SET snapshot_id = {ID_SQL}",
)
"""Statements that give a changed rate its hash and snapshot id."""


def _rates_without(workspace: Workspace, *, but: date | None = None, times: Decimal = Decimal(1)) -> None:
    """Replace the imported rates by a file without one day, or with one rate multiplied."""
    for path in (workspace.rates / "imported").iterdir():
        path.unlink()
    codes = ["GBP", "USD"]
    rows = [
        [day.isoformat(), *(format(rates[code] * (times if day == but else 1), "f") for code in codes)]
        for day, rates in sorted(published().items())
        if date(2026, 10, 19) <= day <= small.FRIDAY and (day != but or times != 1)
    ]
    file = workspace.path / "other.csv"
    file.write_text(small.delimited([["Date", *codes], *rows]), encoding="utf-8")
    _put(workspace, file)


def _put(workspace: Workspace, file: Path) -> None:
    """Put a rate file among the imported ones, without the checks of an import."""
    (imported_folder(workspace) / sha256_file(file)).write_bytes(file.read_bytes())


def _day_missing(workspace: Workspace) -> None:
    _rates_without(workspace, but=date(2026, 10, 29))


def _rate_jumps(workspace: Workspace) -> None:
    _rates_without(workspace, but=date(2026, 10, 29), times=Decimal("1.5"))


def _year_implausible(workspace: Workspace) -> None:
    rows = [
        [day.isoformat(), format(rates["GBP"] * 2, "f"), format(rates["USD"], "f")]
        for day, rates in sorted(published().items())
        if day.year == 2024
    ]
    file = workspace.path / "year.csv"
    file.write_text(small.delimited([["Date", "GBP", "USD"], *rows]), encoding="utf-8")
    _put(workspace, file)


ALONE: Final[dict[Callable[[Workspace], None], tuple[str, str]]] = {
    _refused_delivery: (
        "deliveries deliveries_readable",
        "1 of 2 refused: letter.csv: SC-FIL-002 header missing or ambiguous",
    ),
    _undated_row: ("undated all_rows_dated", "1 rows: SC-DAT-001 date invalid or ambiguous (1)"),
    _rejected_row: (
        "quarantine no_rejected_rows",
        "2026-10-28: 1 rows: SC-AMT-001 amount unreadable (1)",
    ),
    _content_blank: ("valid schema", "2026-11-01: content: not_nullable (1 rows)"),
    _not_posted: (
        "posted amounts_balance",
        "2026-10-28: valid 30005.0000 GBP in 2 rows, posted 30000.0000 GBP in 1 rows",
    ),
    _day_missing: ("fx_snapshots calendar_complete", "2026-10-29"),
    _rate_jumps: ("fx_snapshots day_on_day_jump", "GBP"),
    _year_implausible: ("fx_snapshots irs_yearly_average", "2024"),
    _description_changed: ("ledger_entries append_only", "2026-10-28: batch "),
    _order_required: (
        "ledger_entries within_purchase_orders",
        "SC-PO-001, 1 invoice lines: entry ",
    ),
    _budget_lost: ("cost_report budget_is_complete", "no budget for "),
    _pack_changed: ("lender_snapshot packs_are_unchanged", "csv/bridge.csv: its size or sha256 differs"),
    _batch_total_changed: ("ledger_entries amounts_balance", "2026-11-01: in base: entries "),
}
"""Changes, each with the only check that must report it, and part of its message."""


@pytest.mark.parametrize("change", ALONE, ids=lambda change: change.__name__.strip("_"))
def test_a_change_fails_exactly_one_check(
    change: Callable[[Workspace], None], sound: Workspace, copy: Copy
) -> None:
    workspace = copy(sound)
    change(workspace)
    failures = failing(workspace)
    check, message = ALONE[change]
    assert failures.keys() == {check}, failures
    assert message in failures[check]


def test_a_lost_record_fails_both_reconciliations(sound: Workspace, copy: Copy) -> None:
    workspace = copy(sound)
    _record_lost(workspace)
    failures = failing(workspace)
    assert failures.keys() == {"deliveries records_reconcile", "valid rows_reconcile"}
    assert "delivery 1: 3 stored, 4 received" in failures["deliveries records_reconcile"]


def test_a_lost_valid_row_fails_rows_and_amounts(sound: Workspace, copy: Copy) -> None:
    workspace = copy(sound)
    _valid_row_lost(workspace)
    failures = failing(workspace)
    assert failures.keys() == {"valid rows_reconcile", "posted amounts_balance"}
    expected = "2026-10-29: does not reconcile: 2 received = 1 valid + 0 quarantined + 0 duplicate"
    assert expected in failures["valid rows_reconcile"]


def test_without_a_control_account_there_is_no_journal(sound: Workspace, copy: Copy) -> None:
    workspace = copy(sound)
    _control_account_missing(workspace)
    missing = "not checked: production.yaml names no control_accounts for accounts_payable"
    failures = failing(workspace)
    assert failures.keys() == {
        "ledger_entries documents_balance",
        "trial_balance trial_balance_is_zero",
    }
    assert all(missing in message for message in failures.values())


def test_an_entry_that_a_report_left_out_is_found(
    sound: Workspace, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = copy(sound)
    monkeypatch.setattr(
        "showcost.reports.cost.basis._ENTRIES",
        _ENTRIES.replace("<= $last", "<= $last AND transaction_date < DATE '2026-11-01'"),
    )
    (check, message) = next(iter(failing(workspace).items()))
    assert check == "cost_report totals_equal_the_ledger"
    assert message.startswith("accounts that differ from the ledger: ")


def test_a_dropped_trigger_is_named_for_every_date(sound: Workspace, copy: Copy) -> None:
    workspace = copy(sound)
    _trigger_dropped(workspace)
    (message,) = failing(workspace).values()
    named = "the trigger ledger_entries_no_update of ledger_entries is missing"
    assert message == "; ".join(f"{day}: {named}" for day in (small.WEDNESDAY, small.THURSDAY, small.SUNDAY))


def test_a_removed_entry_fails_every_check_of_entries(sound: Workspace, copy: Copy) -> None:
    workspace = copy(sound)
    _entry_removed(workspace)
    failures = failing(workspace)
    assert failures.keys() == {
        "posted amounts_balance",
        "ledger_entries append_only",
        "ledger_entries amounts_balance",
    }
    assert all(message.startswith("2026-11-01: ") for message in failures.values())


def test_a_changed_rate_is_a_changed_snapshot(sound: Workspace, copy: Copy) -> None:
    workspace = copy(sound)
    tamper(workspace, _RATE_CHANGED)
    failures = failing(workspace)
    assert failures.keys() == {"fx_snapshots snapshot_unchanged", "posted fx_pinned"}
    assert failures["fx_snapshots snapshot_unchanged"].startswith("2026-10-28: SC-FX-003: recorded hash ")
    assert failures["posted fx_pinned"] == (
        "1 pinned FX snapshot(s) changed, the first of 2026-10-28: restore the ledger"
    )


def test_a_changed_rate_whose_hash_was_forged_no_longer_fits_the_entries(
    sound: Workspace, copy: Copy
) -> None:
    workspace = copy(sound)
    tamper(workspace, _RATE_CHANGED, *_FORGED)
    failures = failing(workspace)
    assert failures.keys() == {"posted fx_pinned"}
    assert failures["posted fx_pinned"] == (
        "2026-10-28: 1 of 1 entries do not have the rates of their snapshot"
    )


@pytest.mark.parametrize(
    ("asset", "checks"),
    [
        ("records", {"deliveries records_reconcile", "valid rows_reconcile"}),
        ("valid", {"valid schema", "valid rows_reconcile", "posted amounts_balance"}),
        ("quarantine", {"valid rows_reconcile", "quarantine no_rejected_rows"}),
        ("undated", {"undated all_rows_dated"}),
    ],
)
def test_a_flipped_bit_fails_every_check_that_reads_the_bytes(
    asset: str, checks: set[str], sound: Workspace, copy: Copy
) -> None:
    workspace = copy(sound)
    _undated_row(workspace)
    path = max((workspace.path / "staging" / asset).rglob("*.parquet"), key=lambda file: file.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    failures = {name: message for name, message in failing(workspace).items() if str(path) in message}
    assert failures.keys() == checks
    assert all(
        "its bytes have the sha256 " in message and " was recorded" in message
        for message in failures.values()
    )
