"""Any two tables, headers and cuts put together: no record is lost, and no amount is of another column."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from showcost.config.feed import FeedSpec
from showcost_tests.ingest.test_landing import landed

if TYPE_CHECKING:
    from pathlib import Path

HEADERS: Final = {
    "Supplier": "vendor_code",
    "Invoice": "invoice_no",
    "Date": "invoice_date",
    "Amount": "net_amount",
    "Tax": "tax_amount",
    "Gross": "gross_amount",
    "Text": "description",
    "Episode": "series",
}
NEEDED: Final = ("Supplier", "Invoice", "Date", "Amount")
MONEY: Final = ("Amount", "Tax", "Gross")
FOREIGN: Final = ("Hours", "Rate", "Cost", "Units", "Memo", "Account code")
"""Columns of other reports, most of them numbers."""
FEED: Final = FeedSpec.model_validate(
    {
        "name": "any",
        "description": "any",
        "record_kind": "vendor_invoice",
        "date_formats": ["%Y-%m-%d"],
        "decimal_mark": ".",
        "required": ["vendor_code", "invoice_no", "invoice_date", "net_amount"],
        "default_currency": "EUR",
        "constants": {"account": "2210"},
        "fields": {field: {"headers": [header]} for header, field in HEADERS.items()},
    }
)


@dataclass(frozen=True)
class Table:
    """A table with cells that tell their column: no two amounts of a file are equal."""

    letter: str
    names: tuple[str, ...]
    count: int
    blank: frozenset[str] = frozenset()

    def row(self, number: int) -> dict[str, str]:
        cells = {
            name: f"{number + 1}{place}{len(self.names)}.{17 + number}"
            for place, name in enumerate(self.names)
        }
        texts = {
            "Supplier": f"{self.letter} Ltd",
            "Invoice": f"{self.letter}-{number + 1}",
            "Date": f"2025-10-{number + 10}",
            "Text": "hire of lamps",
            "Episode": "101",
            "Memo": "seen",
            "Account code": "2210",
        }
        return {name: "" if name in self.blank else texts.get(name, cells[name]) for name in self.names}


@dataclass(frozen=True)
class Case:
    """Two tables in one file, what is between them, what its header lacks, and where it is cut."""

    first: Table
    second: Table
    delimiter: str
    between: tuple[str, ...] = ()
    joined: int = -1
    cut: int = 0
    header: bool = True

    def line(self, cells: tuple[str, ...]) -> str:
        return self.delimiter.join(cells)

    @property
    def lines(self) -> list[str]:
        lines = []
        for table in (self.first, self.second):
            names = list(table.names)
            if table is self.first and 0 <= self.joined < len(names) - 1:
                names[self.joined : self.joined + 2] = ["".join(names[self.joined : self.joined + 2])]
            if table is self.second or self.header:
                lines.append(self.line(tuple(names)))
            lines += [self.line(tuple(table.row(number).values())) for number in range(table.count)]
            lines += self.between if table is self.first else ()
        return lines

    @property
    def text(self) -> str:
        text = "\n".join(self.lines) + "\n"
        return text[: len(text) - self.cut]

    @property
    def rows(self) -> dict[str, dict[str, str]]:
        """The records of both tables by their text."""
        return {
            self.line(tuple(row.values())): row
            for table in (self.first, self.second)
            for row in map(table.row, range(table.count))
        }

    def row_of(self, raw: str) -> dict[str, str] | None:
        """Return the record of a text, which may be cut in its last cell."""
        whole = (line for line in self.rows if line == raw or (self.cut and line.startswith(raw)))
        return next((self.rows[line] for line in whole), None)


@st.composite
def tables(draw: st.DrawFn, letter: str) -> Table:
    own = st.permutations((*NEEDED, *draw(st.sets(st.sampled_from(("Tax", "Gross", "Text", "Episode"))))))
    foreign = st.permutations((*draw(st.sets(st.sampled_from(FOREIGN), min_size=2)), "Supplier", "Date"))
    mixed = st.permutations((*NEEDED, *draw(st.sets(st.sampled_from(FOREIGN), max_size=2))))
    names = tuple(draw(st.one_of(own, own, foreign, mixed)))
    blank = draw(st.sets(st.sampled_from(names), max_size=1)) - set(NEEDED)
    return Table(letter, names, draw(st.integers(1, 6)), frozenset(blank))


CASES: Final = st.builds(
    Case,
    tables("A"),
    tables("B"),
    st.sampled_from(",;\t|"),
    st.sampled_from([(), ("",), ("Petty cash",), ("", "Petty cash", "")]),
    st.one_of(st.just(-1), st.integers(0, 6)),
    st.one_of(st.just(0), st.integers(1, 12)),
    st.sampled_from([True, True, True, False]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CASES)
@example(
    Case(
        Table("A", (*NEEDED, "Tax"), 1), Table("B", ("Supplier", "Invoice", "Date", "Tax", "Amount"), 1), ","
    )
)
@example(Case(Table("A", NEEDED, 2), Table("B", NEEDED, 3), ",", cut=3))
def test_no_record_is_lost_and_no_amount_is_of_another_column(tmp_path: Path, case: Case) -> None:
    text = case.text
    with landed(tmp_path / "any.csv", text, FEED) as content:
        records = content.records.by_date().read_all().to_pylist()
        if content.summary.refused is not None:
            return
    raws = [record["raw"].rstrip("\r\n") for record in records]
    for line in case.rows:
        if line in text:
            assert any(line in raw for raw in raws), f"lost: {line!r}"
    for record in records:
        # A record that waits for a person has no amount that could post.
        if record["read_code"] is not None:
            continue
        row = case.row_of(record["raw"].rstrip("\r\n"))
        for name in MONEY:
            amount = record[f"{HEADERS[name]}__value"]
            if amount is None:
                continue
            assert row is not None, f"no record: {record['raw']!r}"
            assert name in row, f"{name} {amount} of a table without it: {record['raw']!r}"
            assert Decimal(amount) == Decimal(row[name]), (name, amount, record["raw"])


def test_a_record_joined_with_the_column_names_below_it_posts_nothing(tmp_path: Path) -> None:
    header, row = "Supplier,Invoice,Date,Amount", "A Ltd,A-1,2025-10-05,4.00"
    with landed(
        tmp_path / "any.csv", f"{header}\n{row}{header}\nB Ltd,B-1,2025-10-06,5.00\n", FEED
    ) as content:
        assert content.summary.refused == "SC-FIL-002"
