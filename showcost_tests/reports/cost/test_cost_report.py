"""The cost report: equal to a plain sum over the ledger, for any rows, period, currency and moment."""

from __future__ import annotations

import csv
import json
import runpy
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.checks.reports import budget_is_complete
from showcost.core.errors import ConfigError, InputError
from showcost.core.hashing import sha256_bytes
from showcost.core.money import round_half_away
from showcost.fx.conversion import convert
from showcost.reports.cost.basis import report_basis
from showcost.reports.cost.report import make_cost_report, write_report
from showcost.reports.pack.verification import verify_report_pack
from showcost.workspace import open_workspace
from showcost_tests.ledger.rows import WEEK
from showcost_tests.ledger.test_journal import RATES, a_row, post
from showcost_tests.reports.cost.books import make_books
from showcost_tests.whole.entries import tamper

if TYPE_CHECKING:
    from datetime import date

    from showcost.reports.cost.report import CostReport
    from showcost.reports.pack.sealing import SealedPack
    from showcost.workspace import Workspace

EUR_RATES = RATES | {"EUR": Decimal(1)}
VERIFIER = Path(__file__).parents[3] / "tools" / "verify_pack.py"
COST_ACCOUNTS = ("2320", "3220", "3690")


def ledger(workspace: Workspace) -> list[dict[str, Any]]:
    with workspace.ledger.read() as connection:
        entries: list[dict[str, Any]] = connection.sql("FROM ledger_entries").to_arrow_table().to_pylist()
        return entries


def made(
    workspace: Workspace, *, period: str | None = None, currency: str | None = None, as_of: int | None = None
) -> CostReport:
    return make_cost_report(workspace, report_basis(workspace, period, currency, as_of))


def sealed(
    workspace: Workspace, folder: Path, *, currency: str | None = None, as_of: int | None = None
) -> SealedPack:
    _, pack = write_report(workspace, report_basis(workspace, None, currency, as_of), folder)
    return pack


def column(report: CostReport, name: str, table: str = "cost_report") -> dict[str, Decimal]:
    """Return the amounts that are not zero, by account."""
    rows = report.tables[table].rows.to_pylist()
    return {row["account"]: row[name] for row in rows if row[name]}


LINES = st.lists(
    st.tuples(
        st.sampled_from(COST_ACCOUNTS),
        st.sampled_from(["EUR", "GBP", "USD"]),
        st.decimals(-500, 500, places=2),
        st.decimals(-50, 50, places=2),
        st.sampled_from(WEEK),
        st.sampled_from(["LDN", "BBG", None]),
    ),
    max_size=20,
)


def rows_of(lines: list[tuple[str, str, Decimal, Decimal, date, str | None]]) -> list[dict[str, Any]]:
    return [
        a_row(
            *(number, f"D-{number % 4}", ("net", account, str(amount)), ("tax", "9110", str(tax))),
            day=day,
            currency=currency,
            location=location,
        )
        for number, (account, currency, amount, tax, day, location) in enumerate(lines)
    ]


@settings(max_examples=5, deadline=None)
@given(LINES)
def test_every_total_is_a_plain_sum_over_the_ledger(
    lines: list[tuple[str, str, Decimal, Decimal, date, str | None]],
) -> None:
    with TemporaryDirectory() as folder:
        workspace = make_books(Path(folder) / "home", rows_of(lines))
        report = made(workspace, period=str(WEEK[0]))
        expected: dict[str, Decimal] = defaultdict(Decimal)
        in_pounds: dict[str, Decimal] = defaultdict(Decimal)
        variance: dict[str, Decimal] = defaultdict(Decimal)
        posted = recoverable = Decimal(0)
        for entry in ledger(workspace):
            posted += entry["base_amount"]
            if entry["account"] == "9110":
                recoverable += entry["base_amount"]
                continue
            expected[entry["account"]] += entry["base_amount"]
            in_pounds[entry["account"]] += convert(entry["amount"], entry["currency"], "GBP", EUR_RATES)
            rate = {"EUR": Decimal("1.15"), "GBP": Decimal("1.34"), "USD": Decimal(1)}[entry["currency"]]
            variance[entry["currency"]] += entry["base_amount"] - round_half_away(entry["amount"] * rate, 2)
        for name in ("cost_period", "cost_to_date", "total_cost", "efc"):
            assert column(report, name) == {key: cost for key, cost in expected.items() if cost}
        assert report.headline["cost_to_date"] == sum(expected.values())
        steps = report.tables["bridge"].rows.to_pylist()
        assert steps[0]["amount"] == posted
        assert sum(step["amount"] for step in steps[1:-1]) == -recoverable
        assert steps[-1]["amount"] == report.headline["cost_to_date"]
        pounds = made(workspace, period=str(WEEK[0]), currency="GBP")
        assert column(pounds, "cost_to_date") == {key: cost for key, cost in in_pounds.items() if cost}
        variance.pop("USD", None)
        assert report.headline["fx_variance"] == sum(variance.values())
        for table in ("cost_by_location", "cost_by_series"):
            rows = report.tables[table].rows.to_pylist()
            assert sum(row["cost_to_date"] for row in rows) == sum(expected.values())
        for table in ("trial_balance", "trial_balance_by_currency"):
            assert sum(row["balance"] for row in report.tables[table].rows.to_pylist()) == 0
        owed: Counter[str] = Counter()
        for row in report.tables["payables"].rows.to_pylist():
            owed[row["account"]] += row["base_amount"]
        balances = {row["account"]: row["balance"] for row in report.tables["trial_balance"].rows.to_pylist()}
        assert owed == {account: -balances[account] for account in owed}


def test_the_period_splits_cost_and_later_days_are_left_out(tmp_path: Path) -> None:
    rows = [
        a_row(number, f"P-{number}", ("net", "2320", "10.00"), day=day, currency="USD")
        for number, day in enumerate(WEEK)
    ]
    periods = (
        "periods:\n"
        f"  - {{name: first, start: {WEEK[0]}, end: {WEEK[1]}}}\n"
        f"  - {{name: second, start: {WEEK[2]}, end: {WEEK[3]}}}\n"
        f"  - {{name: third, start: {WEEK[4]}, end: 2026-11-03}}\n"
    )
    workspace = make_books(tmp_path / "home", rows, settings=periods)
    second = made(workspace, period="second")
    assert column(second, "cost_period") == {"2320": Decimal(20)}
    assert column(second, "cost_to_date") == {"2320": Decimal(40)}
    assert made(workspace).basis.period.name == "third"
    with pytest.raises(InputError, match=r"no reporting period is named 'fourth'.*first, second, third"):
        made(workspace, period="fourth")


def test_as_of_a_record_the_report_stays_as_it_was(tmp_path: Path) -> None:
    first = [a_row(1, "A-1", ("net", "2320", "10.00"))]
    workspace = make_books(tmp_path / "home", first)
    before = made(workspace)
    seq = workspace.audit.head().seq
    post(workspace.ledger, [*first, a_row(2, "A-2", ("net", "3220", "7.77"), day=WEEK[3])])
    after = made(workspace)
    assert after.headline["cost_to_date"] > before.headline["cost_to_date"]
    again = made(workspace, as_of=seq)
    for name in ("cost_report", "bridge", "fx_variance", "trial_balance", "payables", "cost_by_location"):
        assert again.tables[name].rows.equals(before.tables[name].rows)


def test_costs_outside_the_chart_are_counted_and_named(tmp_path: Path) -> None:
    rows = [a_row(1, "L-1", ("net", "2320-OLD", "5.00"), currency="USD")]
    report = made(make_books(tmp_path / "home", rows))
    assert column(report, "cost_to_date") == {"2320-OLD": Decimal(5)}
    assert (
        "Not in the chart of accounts, and counted as cost: 2320-OLD." in report.tables["cost_report"].notes
    )


def test_what_cannot_be_totalled_is_said(tmp_path: Path) -> None:
    rows = [
        a_row(1, "R-1", ("net", "2320", "5.00"), currency="USD"),
        a_row(2, "R-2", ("net", "2320", "9.00"), currency="GBP"),
    ]
    workspace = make_books(tmp_path / "home", rows, rates="budget_rates: {EUR: 1.15, CAD: 0.72}")
    report = made(workspace)
    assert report.tables["fx_variance"].notes == (
        "Not in the totals: costs of 9.00 GBP, because GBP has no budget rate.",
    )
    marked = {figure.column: figure for figure in report.figures if "(incomplete)" in figure.title}
    assert marked.keys() == {"fx_variance"}
    assert marked["fx_variance"].meaning.endswith("without costs of 9.00 GBP, because GBP has no budget rate")
    dollars = made(workspace, currency="CAD")
    assert column(dollars, "cost_to_date") == {}
    (note,) = (note for note in dollars.tables["cost_report"].notes if "5.00 USD" in note)
    assert note == (
        "Not in the totals: 5.00 USD of entries (1), because their snapshots have no rate of CAD."
    )
    titles = {name: column.title for name, column in dollars.tables["cost_report"].by_name.items()}
    assert {name for name, title in titles.items() if title.endswith("(incomplete)")} == {
        *("cost_period", "cost_to_date", "total_cost", "efc", "variance"),
    }
    assert "5.00 USD of entries (1)" in dollars.tables["cost_by_location"].notes[1]
    assert dollars.tables["cost_by_location"].by_name["cost_to_date"].title == "Cost to date (incomplete)"
    assert dollars.tables["bridge"].by_name["amount"].title == "Amount (incomplete)"
    with pytest.raises(InputError, match="budget_rates has no rate for GBP"):
        made(workspace, currency="GBP")
    with pytest.raises(InputError, match="SEK is not a currency of the production"):
        made(workspace, currency="SEK")


def test_an_empty_ledger_has_a_report_of_zeros(tmp_path: Path) -> None:
    report = made(make_books(tmp_path / "home", []))
    assert report.headline["cost_to_date"] == 0
    assert report.headline["budget_approved"] == -report.headline["efc"] + report.headline["variance"]
    assert report.basis.period.start.isoformat() == "2026-03-02"


def plan(workspace: Workspace, kind: str, **cells: str) -> None:
    """Add a line of a plan to the ledger, as if it had been recorded."""
    line = {
        "seq": "1",
        "line_id": f"{kind} {'/'.join(cells.values())}",
        "line_kind": "line",
        "generation": "1",
        "production": "HRB",
        "flags": "[]",
        "feed": "plans",
        "record_kind": kind,
        "row_key": f"{kind} {'/'.join(cells.values())}",
        "content": "c",
        "delivery": "d" * 64,
        "arrival": "1",
        "record": "1",
    } | cells
    names = ", ".join(line)
    marks = ", ".join(f"'{text}'" for text in line.values())
    tamper(workspace, f"INSERT INTO plan_lines ({names}) VALUES ({marks})")  # noqa: S608 - made here


def test_commitments_estimates_and_revisions_lead_to_the_variance(tmp_path: Path) -> None:
    invoice = a_row(1, "V-1", ("net", "2320", "400.00"), currency="GBP", po_no="PO-1", day=WEEK[1])
    workspace = make_books(tmp_path / "home", [invoice])
    day, later = str(WEEK[0]), str(WEEK[2])
    order = {"po_no": "PO-1", "line_no": "1", "vendor_code": "ACME", "account": "2320", "currency": "GBP"}
    plan(workspace, "purchase_order", stated_on=day, amount="1000", is_closed="false", **order)
    stated = {"stated_by": "UPM", "reason": "script", "account": "2320"}
    for stated_on, amount in ((day, "900"), (later, "500"), ("2026-10-30", "1")):
        plan(workspace, "estimate", stated_on=stated_on, amount=amount, currency="EUR", **stated)
    for number, amount in (("1", "-50"), ("2", "20.50")):
        plan(
            workspace,
            "budget_revision",
            stated_on=day,
            amount=amount,
            currency="USD",
            revision_no=number,
            **stated,
        )
    report = made(workspace, period=day)
    cost = convert(Decimal(400), "GBP", "USD", EUR_RATES)
    approved = workspace.budget.amounts["2320"]
    (row,) = (row for row in report.tables["cost_report"].rows.to_pylist() if row["account"] == "2320")
    assert row["commitments"] == Decimal("804.00")
    assert (row["etc"], row["etc_stated_on"]) == (Decimal("575.00"), WEEK[2])
    assert row["efc"] == row["total_cost"] + row["etc"] == cost + 804 + 575
    assert (row["budget_approved"], row["budget_revised"]) == (approved, approved - Decimal("29.50"))
    assert row["variance"] == row["budget_revised"] - row["efc"]
    assert not any("dated after the ETC" in note for note in report.tables["cost_report"].notes)
    later = f"Not in this report: estimates to complete dated after {report.basis.period.end}: 1."
    assert later in report.tables["cost_report"].notes
    post(workspace.ledger, [invoice, a_row(2, "V-2", ("net", "2320", "7.00"), currency="USD", day=WEEK[3])])
    (note,) = (
        note for note in made(workspace, period=day).tables["cost_report"].notes if "dated after the" in note
    )
    assert note.startswith("Costs dated after the ETC of their account: 7.00 USD on accounts (1).")
    in_pounds = made(workspace, period=day, currency="GBP")
    assert column(in_pounds, "commitments") == {"2320": Decimal(600)}
    assert column(in_pounds, "etc") == {"2320": round_half_away(500 * Decimal("1.15") / Decimal("1.34"), 2)}
    assert [line["reason"] for line in report.tables["budget_revisions"].rows.to_pylist()] == ["script"] * 2


def test_a_plan_in_a_currency_without_a_budget_rate_marks_its_totals(tmp_path: Path) -> None:
    rates = "budget_rates: {EUR: 1.15, CAD: 0.72}"
    workspace = make_books(
        tmp_path / "home", [a_row(1, "A-1", ("net", "2320", "10.00"), currency="USD")], rates=rates
    )
    day = str(WEEK[0])
    order = {"po_no": "PO-1", "line_no": "1", "vendor_code": "ACME", "account": "2320", "currency": "GBP"}
    plan(workspace, "purchase_order", stated_on=day, amount="1000", is_closed="false", **order)
    report = made(workspace, period=day)
    assert {figure.column for figure in report.figures if figure.title.endswith("(incomplete)")} == {
        *("commitments", "total_cost", "efc", "variance"),
    }
    (first, *_) = report.tables["cost_report"].notes
    assert first == "Not in the totals: commitments of 1,000.00 GBP, because GBP has no budget rate."
    assert report.tables["cost_by_series"].by_name["commitments"].title == "Commitments (incomplete)"
    assert report.tables["commitments"].by_name["report_amount"].title == "In the report (incomplete)"
    assert not report.tables["estimates"].by_name["report_amount"].title.endswith("(incomplete)")
    outcome = budget_is_complete(workspace)
    assert "no budget rate for GBP" in outcome.message
    stated = {"stated_by": "UPM", "reason": "script", "account": "2320", "currency": "GBP"}
    plan(workspace, "estimate", stated_on=day, amount="5", **stated)
    plan(workspace, "budget_revision", stated_on=day, amount="5", revision_no="1", **stated)
    again = made(workspace, period=day).tables["cost_report"].by_name
    assert again["etc"].title == "ETC (incomplete)"
    assert again["budget_revised"].title == "Revised budget (incomplete)"
    assert again["budget_approved"].title == "Approved budget"


def test_plans_alone_determine_the_period_of_a_new_production(tmp_path: Path) -> None:
    workspace = make_books(tmp_path / "home", [])
    first = made(workspace).basis.period
    stated = {"stated_by": "UPM", "reason": "script", "account": "2320", "currency": "USD"}
    plan(workspace, "estimate", stated_on="2026-05-20", amount="900", **stated)
    basis = report_basis(workspace)
    assert str(basis.period.start) <= "2026-05-20" <= str(basis.period.end)
    assert report_basis(workspace, None, None, 0).period == first


def test_the_pack_of_a_past_moment_has_the_same_bytes_later(tmp_path: Path) -> None:
    first = [a_row(1, "A-1", ("net", "2320", "10.00"))]
    workspace = make_books(tmp_path / "home", first)
    seq = workspace.audit.head().seq
    before = sealed(workspace, tmp_path / "before", as_of=seq)
    post(workspace.ledger, [*first, a_row(2, "A-2", ("net", "3220", "7.77"), day=WEEK[3])])
    workspace = open_workspace(workspace.path)
    after = sealed(workspace, tmp_path / "after", as_of=seq)
    assert (before.sha256, after.is_new) == (after.sha256, True)
    assert verify_report_pack(after.folder) == []
    assert not list(after.folder.rglob("hot_costs*"))
    now = sealed(workspace, tmp_path / "now")
    assert now.sha256 != after.sha256


def test_periods_of_its_own_cover_the_production_and_go_by_name(tmp_path: Path) -> None:
    first = f"  - {{name: '2026-03-05', start: {WEEK[0]}, end: {WEEK[1]}}}\n"
    rest = f"  - {{name: rest, start: {WEEK[2]}, end: 2026-11-03}}\n"
    workspace = make_books(tmp_path / "home", [], settings=f"periods:\n{first}{rest}")
    assert made(workspace, period="2026-03-05").basis.period.start == WEEK[0]
    assert made(workspace, period="2026-03-06").basis.period.name == "rest"
    faults = {
        first: "cover the production's dates, 2026-03-02 to 2026-11-03",
        first + rest.replace(str(WEEK[2]), str(WEEK[3])): "without gap or overlap",
        first + rest.replace("2026-11-03", "2026-01-01"): "an end that is not before its start",
    }
    for number, (listed, message) in enumerate(faults.items()):
        with pytest.raises(ConfigError, match=message):
            make_books(tmp_path / str(number), [], settings=f"periods:\n{listed}")


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    workspace = make_books(tmp_path / "home", [])
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="the folder cannot be made"):
        sealed(workspace, tmp_path / "file" / "pack")


def csv_rows(pack: SealedPack, table: str) -> list[dict[str, str]]:
    with (pack.folder / "csv" / f"{table}.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def sums(rows: list[dict[str, str]], name: str = "report_amount") -> dict[str, Decimal]:
    """Return the sums of a column by account, without zeros."""
    by_account: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        by_account[row["account"]] += Decimal(row[name] or 0)
    return {account: total for account, total in by_account.items() if total}


@pytest.mark.parametrize("currency", ["EUR", "GBP", "USD"])
def test_a_plain_sum_over_the_csv_files_of_a_pack_is_its_report(
    tmp_path: Path, currency: str, capsys: pytest.CaptureFixture[str]
) -> None:
    amounts = ["400.05", "-17.31", "0.05", "0.15", "3333.33", "1.01", "99.99", "12.34"]
    lines = [
        (COST_ACCOUNTS[number % 3], ("EUR", "GBP", "USD")[number // 3], Decimal(amount), Decimal("0.35"))
        for number, amount in enumerate(amounts)
    ]
    rows = rows_of([(*line, WEEK[number % 5], "LDN") for number, line in enumerate(lines)])
    workspace = make_books(tmp_path / "home", rows)
    day = str(WEEK[0])
    order = {"po_no": "PO-1", "line_no": "1", "vendor_code": "ACME", "account": "2320", "currency": "GBP"}
    plan(workspace, "purchase_order", stated_on=day, amount="1000.01", is_closed="false", **order)
    stated = {"stated_by": "UPM", "reason": "script", "account": "2320", "currency": "CAD"}
    plan(workspace, "estimate", stated_on=day, amount="33.33", **stated)
    plan(workspace, "budget_revision", stated_on=day, amount="-7.77", revision_no="1", **stated)
    pack = sealed(workspace, tmp_path / "pack", currency=currency)
    name = "base_amount" if currency == "USD" else "report_amount"
    costs = [row for row in csv_rows(pack, "entries") if row["account_kind"] == "cost"]
    in_period = [row for row in costs if row["transaction_date"] >= str(pack.scope.first)]
    report = csv_rows(pack, "cost_report")
    assert sums(report, "cost_to_date") == sums(costs, name)
    assert sums(report, "cost_period") == sums(in_period, name)
    assert sums(report, "commitments") == sums(csv_rows(pack, "commitments"))
    assert sums(report, "etc") == sums(csv_rows(pack, "estimates"))
    revised, approved = sums(report, "budget_revised"), sums(report, "budget_approved")
    revisions = sums(csv_rows(pack, "budget_revisions"))
    assert {account: revised[account] - total for account, total in approved.items()} == {
        account: revisions.get(account, Decimal(0)) for account in approved
    }
    assert sums(costs, name).keys() == set(COST_ACCOUNTS)
    posted = sum(Decimal(row[name]) for row in csv_rows(pack, "entries"))
    assert Decimal(csv_rows(pack, "bridge")[0]["amount"]) == posted
    for row in csv_rows(pack, "entries"):
        expected = convert(Decimal(row["amount"]), row["currency"], currency, EUR_RATES)
        assert Decimal(row[name]) == expected
    assert pack.folder.joinpath("manifest.json").read_text().count(f'"currency": "{currency}"') > 1
    log = str(workspace.audit.path)
    assert (verifier(pack.folder, "--log", log), verify_report_pack(pack.folder)) == (0, [])
    assert f"10 headline figures, {len(report)} accounts" in capsys.readouterr().out
    swap_accounts(pack.folder)
    assert verify_report_pack(pack.folder) == []
    assert verifier(pack.folder) == 1
    assert "csv/cost_report.csv: cost_to_date of account 3220 is" in capsys.readouterr().out
    swap_accounts(pack.folder)
    assert verifier(pack.folder) == 0
    pack.folder.joinpath("manifest.json").write_bytes(
        pack.folder.joinpath("manifest.json").read_bytes() + b" "
    )
    assert verifier(pack.folder, "--log", log) == 1
    assert "manifest.json: no record of the log seals it" in capsys.readouterr().out


def verifier(folder: Path, *options: str) -> int:
    status: int = runpy.run_path(str(VERIFIER))["main"]([str(folder), *options])
    return status


def swap_accounts(folder: Path) -> None:
    """Exchange the figures of two accounts, as a forger who keeps totals and manifest in order."""
    file, manifest = folder / "csv" / "cost_report.csv", folder / "manifest.json"
    data = (
        file.read_bytes().replace(b",2320,", b",?,").replace(b",3220,", b",2320,").replace(b",?,", b",3220,")
    )
    facts = json.loads(manifest.read_bytes())
    facts["files"]["csv/cost_report.csv"]["sha256"] = sha256_bytes(data)
    file.write_bytes(data)
    manifest.write_bytes(json.dumps(facts, ensure_ascii=False, indent=1).encode() + b"\n")


def test_packs_in_two_currencies_are_published_side_by_side(tmp_path: Path) -> None:
    workspace = make_books(tmp_path / "home", [a_row(1, "A-1", ("net", "2320", "10.00"))])
    packs = [write_report(workspace, report_basis(workspace, None, name))[1] for name in ("USD", "EUR")]
    assert packs[1].folder.name == packs[0].folder.name.replace("_record", "_EUR_record")
    assert packs[0].scope.as_of == packs[1].scope.as_of
    page = packs[1].folder.joinpath("index.html").read_text(encoding="utf-8")
    assert "Entries are shown in their currency, in USD and in EUR." in page
