"""The outcome of the small production's rows: every row in one state, every amount to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from showcost.cli.demo import posted_total
from showcost.config.feeds import load_feeds
from showcost.ingest.landing import landed
from showcost.reports.status import feed_status
from showcost.staging.assets import records_asset
from showcost_tests.whole import entries, small
from showcost_tests.whole.steps import counts, land_all, ledger_digest, take

if TYPE_CHECKING:
    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy

CODES = {
    "budget_revisions": {},
    "e_invoices": {},
    "estimates": {},
    "location_permits": {"SC-FX-001": 1, "SC-ROW-001": 1},
    "payroll_manifest": {"SC-ROW-002": 1},
    "purchase_orders": {},
    "vendor_invoices_ca": {},
    "vendor_invoices_de": {
        "SC-AMT-001": 1,
        "SC-COA-001": 1,
        "SC-DAT-001": 1,
        "SC-DUP-001": 1,
        "SC-DUP-002": 2,
        "SC-FX-001": 2,
    },
    "vendor_invoices_uk": {},
    "vendor_invoices_us": {},
}


def test_every_row_is_in_one_place_and_has_its_reasons(posted_home: Workspace) -> None:
    assert counts(posted_home) == {
        "received": 25,
        "posted": 14,
        "quarantined": 7,
        "duplicate": 1,
        "pending": 3,
        "discarded": 0,
    }
    statuses = [feed_status(posted_home, feed) for feed in load_feeds("HRB")]
    assert {status.feed: status.codes for status in statuses} == CODES


def test_amounts_are_conserved_per_currency(posted_home: Workspace) -> None:
    (status,) = (
        feed_status(posted_home, feed) for feed in load_feeds("HRB") if feed.name == "vendor_invoices_de"
    )
    assert status.total.amounts == {
        "received": {"EUR": Decimal("4636.76")},
        "posted": {"EUR": Decimal("3168.04")},
        "quarantined": {"EUR": Decimal("1254.62")},
        "duplicate": {"EUR": Decimal("100.10")},
        "pending": {"EUR": Decimal("114.00")},
    }


def test_the_posted_total_is_split_into_cost_and_balance_accounts(posted_home: Workspace) -> None:
    with posted_home.ledger.read() as connection:
        sums = dict(
            connection.execute(
                "SELECT component IN ('tax', 'deposit'), sum(base_amount) FROM ledger_entries GROUP BY 1"
            ).fetchall()
        )
    total = posted_total(posted_home)
    assert (total.cost, total.balance) == (sums[False], sums[True])
    assert total.base_amount == total.cost + total.balance
    assert total.balance > 0


def test_before_anything_is_materialised_all_rows_are_pending(landed_home: Workspace) -> None:
    assert counts(landed_home) == {
        "received": 25,
        "posted": 0,
        "quarantined": 0,
        "duplicate": 0,
        "pending": 25,
        "discarded": 0,
    }


def test_every_base_amount_is_that_of_an_independent_recomputation(posted_home: Workspace) -> None:
    assert entries.count(posted_home) == 23
    assert entries.wrongly_converted(posted_home) == []


def test_the_recomputation_would_see_one_cent(posted_home: Workspace, copy: Copy) -> None:
    workspace = copy(posted_home)
    entries.tamper(
        workspace, "UPDATE ledger_entries SET base_amount = base_amount + 0.01 WHERE currency = 'GBP'"
    )
    assert {currency for _, currency, _, _ in entries.wrongly_converted(workspace)} == {"GBP"}


def test_no_column_of_any_table_or_file_is_a_float(posted_home: Workspace) -> None:
    types = dict(entries.types(posted_home))
    assert types["ledger_entries.base_amount"] == "DECIMAL(18,4)"
    assert {
        name for name, kind in types.items() if kind.lower().startswith(("float", "double", "real"))
    } == set()


def test_every_record_is_found_again_in_the_bytes_that_arrived(posted_home: Workspace) -> None:
    store, payloads = posted_home.staging, posted_home.payloads
    for feed in load_feeds("HRB"):
        for delivery in landed(posted_home, feed):
            with payloads.opened(delivery.arrival.delivery) as path:
                content = path.read_bytes()
            records = store.read(records_asset(feed.name), delivery.arrival.delivery)
            for row in records.select(["byte_start", "byte_end", "raw"]).to_pylist():
                record = content[row["byte_start"] : row["byte_end"]].decode()
                assert record.rstrip("\r\n") == row["raw"].rstrip("\r\n")


def test_materialising_again_appends_nothing(posted_home: Workspace, copy: Copy) -> None:
    workspace = copy(posted_home)
    take(workspace, small.WEEK)
    assert entries.count(workspace) == entries.count(posted_home)
    assert ledger_digest(workspace) == ledger_digest(posted_home)
    assert counts(workspace) == counts(posted_home)


def test_pending_rows_are_posted_once_their_rate_is_published(posted_home: Workspace, copy: Copy) -> None:
    workspace = copy(posted_home)
    small.know_rates(workspace, until=small.TUESDAY)
    take(workspace, [small.MONDAY, small.TUESDAY])
    assert counts(workspace) == counts(posted_home) | {"posted": 17, "pending": 0}

    at_once = small.make_home(workspace.path.parent / "at_once")
    small.know_rates(at_once, until=small.TUESDAY)
    small.fill(at_once)
    land_all(at_once)
    take(at_once, small.WEEK)
    assert ledger_digest(at_once) == ledger_digest(workspace)


def test_entries_of_payroll_name_the_pay_rules_that_they_were_judged_by(posted_home: Workspace) -> None:
    with posted_home.ledger.read() as connection:
        rows = connection.execute(
            "SELECT record_kind, count(*), count(pay_rules) FROM ledger_entries GROUP BY ALL"
        ).fetchall()
    named = {kind: (entries, rules) for kind, entries, rules in rows}
    entries, rules = named.pop("payroll")
    assert entries == rules > 0
    assert all(rules == 0 for _, rules in named.values())
