"""Posting converts exactly, appends once, and gives the same ledger in any order."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.config.record_kinds import RECORD_KINDS, VENDOR_INVOICE
from showcost.core.errors import CheckFailedError, InputError, IntegrityError
from showcost.core.file_ranges import FileRange
from showcost.core.ids import entry_id
from showcost.ledger import append_entries as commit
from showcost.ledger import posting
from showcost.ledger.batches import feed_hashes
from showcost.ledger.digest import digest
from showcost.ledger.new_entries import PostingContext
from showcost.ledger.queries import balances, posted_keys
from showcost.ledger.store import Ledger
from showcost.staging import PartitionRows, StagingStore, split_by_date
from showcost_tests.ledger.rows import (
    CONTEXT,
    MONDAY,
    RATES,
    WEEK,
    Row,
    as_pair,
    clock,
    entries,
    pin_rates,
    post_rows,
    reference_digest,
    row,
    short,
    table,
    week_rows,
)

WHOLE_WEEK = "7e2a786c811976768b268bc761ae33288c0897012826c9fe3c97eac4b6eb8da8"
"""Pinned: a digest that changes without a reason stated in the release notes breaks every recorded head."""


def digest_of(ledger: Ledger) -> str:
    with ledger.read() as connection:
        return digest(connection, WEEK[0], WEEK[-1]).hash


def in_usd(amount: Decimal, currency: str) -> Decimal:
    if currency == "USD":
        return amount
    with localcontext() as context:
        context.prec = 60
        exact = amount * RATES["USD"] / RATES.get(currency, Decimal(1))
        return exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def test_a_row_becomes_an_entry_per_component_with_rate_and_source(ledger: Ledger) -> None:
    (result,) = post_rows(ledger, table([row(3, currency="GBP")]), [MONDAY])
    tax, net = sorted(entries(ledger), key=lambda entry: str(entry["account"]))
    assert net["entry_id"] == entry_id("NIGHTFALL", "vendors", short("key 3"), "net")
    assert tax["entry_id"] == entry_id("NIGHTFALL", "vendors", short("key 3"), "tax")
    assert (net["account"], net["union_category"]) == ("3300", "camera")
    assert (tax["account"], tax["union_category"]) == ("1990", None)
    assert (net["amount"], net["base_amount"]) == (Decimal("100.1000"), Decimal("134.1200"))
    assert (net["eur_rate_original"], net["eur_rate_base"]) == (RATES["GBP"], RATES["USD"])
    assert (net["rate"], net["rate_date"]) == (Decimal("1.3398896618"), MONDAY)
    assert (net["document_no"], net["set_code"], net["record"]) == ("R-3", "12", 5)
    assert net["flags"] == ["SC-PAY-009", "SC-PO-001"]
    assert net["fx_policy"] == "ecb-daily/carry-4/cross-eur/half-away/document-total"
    assert result.batch is not None
    assert net["batch_id"] == tax["batch_id"] == result.batch.batch_id
    assert result.batch.snapshot_ids == (net["snapshot_id"],)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["EUR", "USD", "GBP", "JPY", "CAD"]),
            st.decimals("-99999999999", "99999999999", places=2, allow_nan=False),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_conversions_equal_an_independent_reference(amounts: list[tuple[str, Decimal]]) -> None:
    rows = [
        row(number, currency=currency, net=str(amount), tax=str(-amount))
        for number, (currency, amount) in enumerate(amounts)
    ]
    with TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.duckdb")
        pin_rates(ledger)
        post_rows(ledger, table(rows))
        posted = entries(ledger)
    # A row without any amount has one entry, as evidence that it was posted.
    assert len(posted) == sum(2 if amount else 1 for _, amount in amounts)
    for entry in posted:
        assert isinstance(entry["amount"], Decimal)
        assert entry["base_amount"] == in_usd(entry["amount"], str(entry["currency"]))


def test_posting_again_appends_nothing(ledger: Ledger) -> None:
    first = post_rows(ledger, table(week_rows(50)))
    before = entries(ledger)
    again = post_rows(ledger, table(week_rows(50)), run_id="another run")
    assert [(result.rows, result.appended_rows, result.appended_entries) for result in first] == [
        (10, 10, 20)
    ] * 5
    assert [(result.rows, result.batch) for result in again] == [(10, None)] * 5
    assert entries(ledger) == before
    with ledger.read() as connection:
        assert connection.execute("SELECT count(*), min(run_id), max(run_id) FROM batches").fetchall() == [
            (5, "run", "run")
        ]


def test_posting_more_rows_appends_only_the_new_ones(ledger: Ledger) -> None:
    post_rows(ledger, table(week_rows(50)[::3]))
    results = post_rows(ledger, table(week_rows(50)))
    assert sum(result.appended_rows for result in results) == 50 - 17
    assert len(entries(ledger)) == 100


def test_a_partition_without_rows_has_a_result_and_no_batch(ledger: Ledger) -> None:
    results = post_rows(ledger, table([row(1, day=WEEK[2])]))
    assert [(result.partition_date, result.rows, result.appended_rows) for result in results] == [
        (day, int(day == WEEK[2]), int(day == WEEK[2])) for day in WEEK
    ]
    assert post_rows(ledger, []) == [posting.PostResult("vendors", day, 0, None) for day in WEEK]


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_the_digest_does_not_depend_on_order_batches_or_chunks(data: st.DataObject) -> None:
    rows = week_rows(40)
    shuffled = [rows[index] for index in data.draw(st.permutations(range(len(rows))))]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(rows) - 1), max_size=4)))
    chunk_rows = data.draw(st.integers(3, 60))
    with TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.duckdb")
        pin_rates(ledger)
        for start, stop in zip([0, *cuts], [*cuts, len(rows)], strict=True):
            post_rows(ledger, table(shuffled[start:stop]), run_id=f"run {start}", chunk_rows=chunk_rows)
        post_rows(ledger, table(rows))
        assert digest_of(ledger) == WHOLE_WEEK
        assert len(entries(ledger)) == 80


def test_the_digest_equals_an_independent_recomputation(ledger: Ledger) -> None:
    rows = [
        row(number, description=text)
        for number, text in enumerate(['\x1f\x00\x7f"\\u001f\n\t/', "", "🎬\u2028", "\\"])
    ]
    many = [row(number) for number in range(10, 1610)]
    post_rows(ledger, table([*rows, *many, row(5, day=WEEK[3])]))
    with ledger.read() as connection:
        whole_week = digest(connection, WEEK[0], WEEK[-1])
        from_tuesday = digest(connection, WEEK[1], WEEK[-1])
        empty = digest(connection, date(2020, 1, 1), date(2020, 1, 2))
    assert as_pair(whole_week) == reference_digest(entries(ledger))
    assert whole_week.partitions[MONDAY][0] == 2 * 1604
    assert from_tuesday.partitions == {WEEK[3]: whole_week.partitions[WEEK[3]]}
    assert (empty.hash, empty.partitions) == (reference_digest([])[0], {})


def test_a_batch_records_counts_sums_and_the_digest_of_its_entries(ledger: Ledger) -> None:
    post_rows(ledger, table([row(1), row(2, currency="GBP")]), [MONDAY])
    (result,) = post_rows(ledger, table([row(1), row(2, currency="GBP"), row(3, tax=None)]), [MONDAY])
    with ledger.read() as connection:
        (batch,) = connection.sql("FROM batches WHERE row_count = 1").to_arrow_table().to_pylist()
    assert result.batch is not None
    assert batch["batch_id"] == result.batch.batch_id
    assert (batch["row_count"], batch["entry_count"], batch["totals"]) == (1, 1, '{"EUR": "100.1000"}')
    assert (batch["base_total"], batch["base_currency"]) == (Decimal("111.8300"), "USD")
    assert batch["posted_at"] == clock().replace(tzinfo=None)
    of_batch = [entry for entry in entries(ledger) if entry["batch_id"] == batch["batch_id"]]
    assert batch["digest"] == reference_digest(of_batch)[1][MONDAY][1]


def test_the_hashes_of_a_feed_are_those_of_its_entries_with_one_batch_and_with_several(
    ledger: Ledger,
) -> None:
    post_rows(ledger, table(week_rows(20)))
    post_rows(ledger, table([row(101), row(102, currency="GBP")]), [MONDAY])
    with ledger.read() as connection:
        batches = dict(
            connection.execute("SELECT partition_date, count(*) FROM batches GROUP BY ALL").fetchall()
        )
        found = feed_hashes(connection, CONTEXT.feed, WEEK[0], WEEK[-1])
        part = feed_hashes(connection, CONTEXT.feed, WEEK[1], WEEK[2])
        nothing = feed_hashes(connection, "another", WEEK[0], WEEK[-1])
    assert batches[MONDAY] == 2
    assert found == dict(reference_digest(entries(ledger))[1])
    assert (part, nothing) == ({day: found[day] for day in WEEK[1:3]}, {})


def test_a_batch_has_the_same_id_wherever_it_is_posted(ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "other" / "ledger.duckdb")
    pin_rates(other)
    rows = week_rows(30)
    results = post_rows(ledger, table(rows))
    elsewhere = post_rows(other, table(rows[::-1]), run_id="elsewhere", chunk_rows=1)
    assert [result.batch for result in results] == [result.batch for result in elsewhere]


def test_rows_come_from_verified_files_as_well(ledger: Ledger, tmp_path: Path) -> None:
    store = StagingStore(tmp_path)
    rows = table(sorted(week_rows(40), key=lambda item: str(item["transaction_date"])))
    parts = (
        PartitionRows(day.isoformat(), piece) for day, piece in split_by_date(rows, "transaction_date", WEEK)
    )
    store.write_many("valid/vendors", parts)
    ranges = store.ranges("valid/vendors", [day.isoformat() for day in WEEK])
    results = post_rows(ledger, ranges, chunk_rows=15)
    assert [result.appended_rows for result in results] == [8] * 5
    assert digest_of(ledger) == WHOLE_WEEK


def test_every_record_kind_has_a_field_that_numbers_the_document() -> None:
    assert all(kind.document in kind.by_name for kind in RECORD_KINDS.values())


def test_other_feeds_and_productions_have_entries_of_their_own(ledger: Ledger) -> None:
    post_rows(ledger, table([row(1)]))
    post_rows(ledger, table([row(1)]), context=PostingContext("NIGHTFALL", "USD", "permits", VENDOR_INVOICE))
    post_rows(ledger, table([row(1)]), context=PostingContext("DAYBREAK", "USD", "vendors", VENDOR_INVOICE))
    assert len({entry["entry_id"] for entry in entries(ledger)}) == 6


def changed(number: int, **values: object) -> Row:
    return row(number) | values


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(1), row(2, currency="CHF")], "2 entries have no pinned FX rate"),
        ([row(1), row(1)], "2 valid rows yield entries for 1 keys, with 2 duplicate entries"),
        ([row(1), changed(2, components=[])], "2 valid rows yield entries for 1 keys"),
        ([row(1), changed(2, components=None)], "2 valid rows yield entries for 1 keys"),
        ([row(1), changed(2, components=[None])], "1 entries lack a component, an account, an amount"),
        ([row(1), changed(2, content=None)], "2 entries lack .* or their source"),
        ([row(1, currency="JPY", net="1"), row(2, net="99999999999999")], "1 entries do not fit DECIMAL"),
        ([row(1), row(7, net="1.00") | {"record": 99}], "2 entries are already posted with other content"),
    ],
)
def test_rows_that_may_not_be_posted_stop_the_whole_posting(
    ledger: Ledger, rows: list[Row], message: str
) -> None:
    post_rows(ledger, table([row(7)]))
    with pytest.raises(CheckFailedError, match=message):
        post_rows(ledger, table(rows))
    assert len(entries(ledger)) == 2


def test_a_date_without_a_snapshot_is_refused_except_in_base(ledger: Ledger) -> None:
    saturday = MONDAY + timedelta(days=26)
    with pytest.raises(CheckFailedError, match=f"from {saturday}: 2 entries have no pinned FX rate"):
        post_rows(ledger, table([row(1, day=saturday, currency="GBP")]), [saturday])
    post_rows(ledger, table([row(1, day=saturday, currency="USD")]), [saturday])
    rates = {
        tuple(entry[name] for name in ("snapshot_id", "rate", "rate_date", "fx_policy"))
        for entry in entries(ledger)
    }
    assert rates == {("base", Decimal(1), saturday, "base-currency")}


def test_an_altered_snapshot_is_refused(ledger: Ledger) -> None:
    with ledger.write() as connection:
        connection.execute("DROP TRIGGER fx_rates_no_update ON fx_rates")
        connection.execute("UPDATE fx_rates SET rate = 2 WHERE currency = 'GBP'")
    with pytest.raises(IntegrityError, match="FX snapshot"):
        post_rows(ledger, table([row(1)]))


def test_rows_outside_the_partitions_are_refused(ledger: Ledger) -> None:
    with pytest.raises(InputError, match=f"valid rows of {WEEK[1]} are outside the partitions"):
        post_rows(ledger, table([row(1, day=WEEK[1])]), [MONDAY])
    with pytest.raises(InputError, match="valid rows of None"):
        post_rows(ledger, table([changed(1, transaction_date=None)]), [MONDAY])


@pytest.mark.parametrize(
    ("column", "replacement"),
    [
        ("components", None),
        (
            "components",
            pa.array([[{"component": "net", "account": "1", "union_category": "", "amount": 1.5}]]),
        ),
        ("flags", pa.array(["SC-PO-001"])),
        ("record", pa.array(["1"])),
        ("invoice_no", None),
        ("transaction_date", pa.array(["2026-03-02"])),
    ],
)
def test_columns_that_do_not_fit_are_named(
    ledger: Ledger, tmp_path: Path, column: str, replacement: pa.Array | None
) -> None:
    rows = table([row(1)]).drop_columns(column)
    if replacement is not None:
        rows = rows.append_column(column, replacement)
    with pytest.raises(InputError, match=f"the column {column} must be"):
        post_rows(ledger, rows)
    pq.write_table(rows, tmp_path / "rows.parquet")
    with pytest.raises(InputError, match=rf"rows\.parquet: the column {column} must be"):
        post_rows(ledger, [FileRange(tmp_path / "rows.parquet", 0, 1, 1)])


def test_entries_that_differ_after_the_insert_are_not_committed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    altering = commit._INSERT_ENTRIES.replace(
        "FROM read_parquet", "SELECT * REPLACE (amount + 1 AS amount) FROM read_parquet"
    )
    assert altering != commit._INSERT_ENTRIES
    monkeypatch.setattr(commit, "_INSERT_ENTRIES", altering)
    with pytest.raises(IntegrityError, match="nothing was committed"):
        post_rows(ledger, table([row(1)]))
    assert entries(ledger) == []


def test_chunks_that_were_committed_stay_when_a_later_one_fails(ledger: Ledger) -> None:
    rows = [row(1), row(2, day=WEEK[1], currency="CHF")]
    with pytest.raises(CheckFailedError, match="no pinned FX rate"):
        post_rows(ledger, table(rows), chunk_rows=1)
    assert len(entries(ledger)) == 2


def test_a_year_is_posted_in_one_call(tmp_path: Path) -> None:
    days = [date(2025, 1, 1) + timedelta(days=number) for number in range(365)]
    ledger = Ledger(tmp_path / "ledger.duckdb")
    pin_rates(ledger, days)
    rows = [row(number, day=days[number % 365]) for number in range(1095)]
    random.Random(7).shuffle(rows)  # noqa: S311 - not for secrets
    results = post_rows(ledger, table(rows), days)
    assert [result.appended_rows for result in results] == [3] * 365


def test_posted_keys_have_the_row_of_each_key(ledger: Ledger) -> None:
    post_rows(ledger, table([row(1), row(2)]))
    keys = pa.array([short("key 2"), short("key 9"), short("key 2")])
    with ledger.read() as connection:
        posted = posted_keys(connection, "vendors", keys).to_pylist()
        assert posted_keys(connection, "permits", keys).num_rows == 0
    expected = row(2)
    assert posted == [{name: expected[name] for name in ("row_key", "delivery", "record", "content")}]


def test_balances_sum_rows_and_amounts_per_feed_date_and_currency(ledger: Ledger) -> None:
    post_rows(ledger, table([row(1), row(2), row(3, currency="GBP"), row(4, day=WEEK[1])]))
    with ledger.read() as connection:
        sums = balances(connection, WEEK[0], WEEK[0]).to_pylist()
        assert balances(connection, WEEK[0], WEEK[-1], feed="permits").num_rows == 0
    assert [(line["currency"], line["row_count"], line["entry_count"], line["amount"]) for line in sums] == [
        ("EUR", 2, 4, Decimal("240.2400")),
        ("GBP", 1, 2, Decimal("120.1200")),
    ]
    assert sums[0]["base_amount"] == 2 * (in_usd(Decimal("100.10"), "EUR") + in_usd(Decimal("20.02"), "EUR"))
    assert CONTEXT.feed == sums[0]["feed"]


def test_a_posted_row_whose_reading_has_changed_is_left_alone(ledger: Ledger) -> None:
    post_rows(ledger, table(week_rows(10)))
    before = digest_of(ledger)
    results = post_rows(ledger, table([changed | {"content": "f" * 32} for changed in week_rows(10)]))
    assert [result.appended_entries for result in results] == [0] * len(results)
    assert digest_of(ledger) == before
