"""Two tables in one file: no record is lost, and none is read by the column names of the other."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from showcost.readers import Hints, read_delivery
from showcost_tests.fuzz.laws import small_blocks

if TYPE_CHECKING:
    from pathlib import Path

NAMES: Final = ("Supplier", "Invoice", "Date", "Amount", "Tax", "Gross", "Text", "Episode", "Location")
"""Names of the feed's columns."""
FEED: Final = Hints(names=NAMES)
KINDS: Final = (
    ("Supplier", "Invoice", "Date", "Amount"),
    ("Supplier", "Invoice", "Date", "Tax", "Amount"),
    ("Supplier", "Invoice", "Date", "Amount", "Tax"),
    ("Supplier", "Invoice", "Date", "Amount", "Text", "Tax", "Gross", "Unit", "Memo"),
    ("Invoice", "Supplier", "Gross", "Date", "Amount"),
    ("Shop", "Slip", "Bought on", "Cost"),
    ("Crew", "Job", "Paid on", "Hours", "Rate"),
    ("Shop", "Slip", "Cost", "Bought on", "Who"),
)
BETWEEN: Final = ("", "\n", "Petty cash\n", "\nPetty cash\n", "\nPetty cash\n\n", ",,,,\n")
AMOUNTS: Final = ("Amount", "Cost", "Rate", "Tax", "Gross", "Hours")
VALUES: Final = {
    name: form
    for names, form in (
        (("Date", "Bought on", "Paid on"), "2026-10-{day:02}"),
        (AMOUNTS, "{number}{place}.{day:02}"),
        (("Invoice", "Slip", "Job"), "{table}{number}-{day}"),
        (("Supplier", "Shop", "Crew", "Unit", "Text", "Memo", "Who"), "{name} of ACME"),
    )
    for name in names
}


@dataclass(frozen=True)
class Table:
    """A table: its column names, and its records."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def text(self, *, header: bool) -> str:
        lines = [self.names, *self.rows] if header else self.rows
        return "".join(",".join(line) + "\n" for line in lines)

    def own(self, cells: list[str]) -> dict[str, str] | None:
        """Return a record of this table by its names, if the cells are of one."""
        filled = sorted(cell for cell in cells if cell)
        return next(
            (dict(zip(self.names, row, strict=True)) for row in self.rows if sorted(row) == filled), None
        )


def table(letter: str, names: tuple[str, ...], count: int) -> Table:
    rows = [
        tuple(
            VALUES[name].format(
                table=letter, number=number + 1, day=number % 9 + 10, place=place, name=name[0]
            )
            for place, name in enumerate(names)
        )
        for number in range(count)
    ]
    return Table(names, tuple(rows))


def as_sheet(text: str) -> str:
    """Return the lines with as many cells as the longest, as a spreadsheet writes them."""
    lines = text.splitlines()
    most = max(line.count(",") for line in lines)
    return "".join(line + "," * (most - line.count(",")) + "\n" for line in lines)


def read(
    path: Path, text: str, hints: Hints = FEED
) -> tuple[list[list[str]], list[str], tuple[str, ...], bool]:
    """Return rows, texts of rejected records, column names, and whether these are certain."""
    path.write_text(text, encoding="utf-8")
    with read_delivery(path, hints=hints) as reading:
        rows = [cells for batch in reading.records for cells in batch.column("cells").to_pylist()]
        rejected = [item.raw.decode().rstrip("\r\n") for item in reading.rejected]
        return rows, rejected, reading.header, reading.dialect.header_sure


@dataclass(frozen=True)
class Case:
    """Two tables, how they are put together, and how the file is read."""

    above: tuple[str, ...]
    below: tuple[str, ...]
    first: int
    second: int
    between: str = ""
    header: bool = True
    cut: int = 0
    hints: Hints = FEED
    small: bool = False
    padded: bool = False
    end: str = ""

    @property
    def tables(self) -> list[Table]:
        return [table("D", self.above, self.first), table("B", self.below, self.second)]

    @property
    def text(self) -> str:
        above, below = self.tables
        text = above.text(header=self.header) + self.end + self.between + below.text(header=True) + self.end
        return (as_sheet(text) if self.padded else text)[self.cut if self.header else 0 :]


CASES: Final = st.builds(
    Case,
    st.sampled_from(KINDS),
    st.sampled_from(KINDS),
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from(BETWEEN),
    st.booleans(),
    st.integers(0, 30),
    st.sampled_from([FEED, Hints()]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "Total,,,12.50\n", "End of list\n"]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CASES)
@example(Case(KINDS[0], KINDS[3], 2, 3))
@example(Case(KINDS[2], KINDS[1], 1, 1, "\n"))
def test_no_record_of_two_tables_is_lost_or_read_by_other_names(tmp_path: Path, case: Case) -> None:
    text, tables = case.text, case.tables
    with small_blocks() if case.small else nullcontext():
        rows, rejected, names, sure = read(tmp_path / "any", text, case.hints)
    kept = [sorted(filter(None, row)) for row in rows]
    for part in tables:
        for row in part.rows:
            line = ",".join(row)
            assert text.count(line) == 0 or line in "\n".join(rejected) or sorted(row) in kept
    if not sure or names[0] == "col_0":
        return
    for cells in rows:
        own = tables[0].own(cells) or tables[1].own(cells)
        if own is None:  # no record of a table
            assert cells[0] in {"Total", "End of list", "Petty cash"} or not case.header
            continue
        amounts = {n: cell for n, cell in zip(names, cells, strict=True) if cell and n in AMOUNTS}
        assert amounts.items() <= own.items()


A = """Supplier,Invoice,Date,Amount
Corner Shop,D0,2026-10-05,10.50
Corner Shop,D1,2026-10-05,11.50
{}Supplier,Invoice,Date,Amount,Text,Tax,Gross,Unit,Memo
BETA0,B0,2026-10-06,7.50,y,1.40,8.90,LDN,m
BETA1,B1,2026-10-06,8.50,y,1.40,9.90,LDN,m
BETA2,B2,2026-10-06,9.50,y,1.40,10.90,LDN,m
"""


@pytest.mark.parametrize("between", ["", "\n", "Invoices\n", "\nInvoices,,,\n\n"])
def test_a_table_above_another_is_rejected_with_its_text(tmp_path: Path, between: str) -> None:
    rows, rejected, names, _ = read(tmp_path / "any", A.format(between))
    assert [row[3] for row in rows] == ["7.50", "8.50", "9.50"]
    assert rejected[:3] == A.splitlines()[:3]
    assert names[-1] == "Memo"


def test_a_table_of_other_names_above_is_rejected_with_its_text(tmp_path: Path) -> None:
    above = ["Petty cash", "", "Shop,Cost", "Corner Shop,10.50", "lost receipt,"]
    text = "\n".join([*above, "", *A.splitlines()[3:]]).replace("{}", "")
    rows, rejected, _, _ = read(tmp_path / "any", text)
    assert len(rows) == 3
    assert rejected == above[2:]


@pytest.mark.parametrize(
    "above",
    [
        ["Organisation,,Partnerships for Schools", 'Spend Tolerance,,"£25,000"', "Month,,Jul-11"],
        ["Spending over 25k", "", "From:,01/10/2026"],
        ["Total,36.00"],
        [",,,2026"],
    ],
)
def test_titles_and_labelled_values_above_are_preamble(tmp_path: Path, above: list[str]) -> None:
    rows, rejected, _, _ = read(tmp_path / "any", "\n".join([*above, *A.format("").splitlines()[3:]]))
    assert (len(rows), rejected) == (3, [])


def test_rows_below_other_column_names_are_rejected_until_the_names_return(tmp_path: Path) -> None:
    text = (
        "Supplier,Invoice,Date,Amount,Tax\nACME,R1,2026-10-05,100.50,19.10\n\n"
        "Supplier,Invoice,Date,Tax,Amount\nGAMMA,R3,2026-10-06,1.44,7.60\nTotal,,,1.44,7.60\n\n"
        "supplier ,INVOICE,date,Amount,tax\nACME,R9,2026-10-07,9.00,1.71\n"
    )
    rows, rejected, _, _ = read(tmp_path / "any", text.replace("Tax,Amount", "Gross,Amount"))
    assert [row[1:4:2] for row in rows] == [["R1", "100.50"], ["R9", "9.00"]]
    assert rejected == text.replace("Tax,Amount", "Gross,Amount").splitlines()[3:6]


@pytest.mark.parametrize("hints", [FEED, Hints(as_written=True)])
def test_rows_below_the_same_names_in_another_order_are_read_by_it(tmp_path: Path, hints: Hints) -> None:
    text = (
        "Supplier,Invoice,Date,Amount,Tax\nACME,R1,2026-10-05,100.50,19.10\n\n"
        "Invoice,supplier,Date,TAX,Amount\nR3,GAMMA,2026-10-06,1.44,7.60\nR4,GAMMA,1.44,7.60\n\n"
        "supplier ,INVOICE,date,Amount,tax\nACME,R9,2026-10-07,9.00,1.71\n"
    )
    rows, rejected, _, _ = read(tmp_path / "any", text, hints)
    assert rows == [
        ["ACME", "R1", "2026-10-05", "100.50", "19.10"],
        ["GAMMA", "R3", "2026-10-06", "7.60", "1.44"],
        ["ACME", "R9", "2026-10-07", "9.00", "1.71"],
    ]
    assert rejected == ["R4,GAMMA,1.44,7.60"]


@pytest.mark.parametrize(("end", "count"), [("7.60", 2), ("7.6", 1), ("7.60\n", 2)])
def test_a_cut_record_in_another_order_is_rejected(tmp_path: Path, end: str, count: int) -> None:
    text = (
        "Supplier,Invoice,Date,Amount,Text\nACME,R1,2026-10-05,100.50,van\n"
        "Invoice,Supplier,Date,Text,Amount\nR3,GAMMA,2026-10-06,lamp,"
    )
    rows, rejected, _, _ = read(tmp_path / "any", text + end)
    assert len(rows) == count
    assert len(rejected) == 2 - count


def test_a_row_of_words_is_not_the_header_of_another_table(tmp_path: Path) -> None:
    text = (
        "Supplier,Invoice,Date,Amount,Text\nACME,R1,2026-10-05,100.50,van\nACME,van hire,,pending,see Date\n"
        "BETA,Invoice,2026-10-06,n/a,Payment\nBETA,tbc,unknown,,lamp\nACME,R2,2026-10-07,9.00,van\n"
    )
    rows, rejected, _, _ = read(tmp_path / "any", text)
    assert (len(rows), rejected) == (5, [])


@pytest.mark.parametrize(
    "names",
    [
        "Supplier,Invoice,Date,Gross Amount",
        '"Supplier,Invoice,Date,Gross,Amount',
        "ACME,R2,2026-10-0Supplier,Invoice,Date,Gross,Amount",
        'ACME,R2,2026-10-05,"1.00\nSupplier,Invoice,Date,Gross,Amount',
        "Supplier;Invoice;Date;Gross;Amount",
    ],
)
def test_broken_column_names_of_another_table_are_recognised(tmp_path: Path, names: str) -> None:
    text = (
        "Supplier,Invoice,Date,Amount,Tax\nACME,R1,2026-10-05,100.50,19.10\n"
        f'{names}\nGAMMA,R3,2026-10-06,1.44,"7.60"\nGAMMA,R4,2026-10-06,1.44,7.60\n'
    )
    rows, rejected, _, _ = read(tmp_path / "any", text)
    assert [row[1] for row in rows] == ["R1"]
    assert "GAMMA,R4,2026-10-06,1.44,7.60" in rejected


def test_for_a_user_who_looks_the_rows_are_kept_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "any"
    path.write_text(
        "Who,When,What,Amount\nA,2026-10-05,van,1.00\n\nWho,Day,Whom,Value\nC,2026-10-06,D,3.00\n",
        encoding="utf-8",
    )
    with read_delivery(path, hints=Hints(as_written=True)) as reading:
        assert reading.table().num_rows == 3
        assert reading.dialect.assumptions == (
            "record 4 has the column names of another table: records below are in those of the first",
        )
