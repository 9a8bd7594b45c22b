"""The book: complete, offline, safe, the same twice, and from a figure to the raw text in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64encode
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import sha256
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from showcost.fx.pinned_snapshots import IDENTITY
from showcost.reports.book import html_tables, writing
from showcost.reports.book.writing import WrittenBook, write_book
from showcost.reports.tables import ColumnType, ReportColumn, ReportTable
from showcost_tests.reports.writers.sample import HEADLINE, HOSTILE, payables
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace

CHROMIUM = shutil.which("chromium")
TEXTS = [text for text in HOSTILE if not re.search("[\x00\x07]", text)]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = small.make_home(tmp_path_factory.mktemp("books") / "home")
    small.fill(workspace)
    hostile = [
        small.Invoice(f"H{number}", "28.10.2026", "10,00", "1,90", "11,90", text=text)
        for number, text in enumerate(TEXTS)
    ]
    small.deliver(workspace, "vendor_invoices_de", "3 <b>hostile.csv", small.german(hostile))
    land_all(workspace)
    take(workspace, small.WEEK)
    return workspace


def costs(workspace: Workspace) -> ReportTable:
    """Return the base amounts per account, in two sections."""
    with workspace.ledger.read() as connection:
        rows = connection.sql(
            "SELECT CASE WHEN account < '4' THEN 'Above' ELSE 'Below' END AS section, account,"
            " CAST(sum(base_amount) AS DECIMAL(18, 4)) AS cost_to_date,"
            " CAST(sum(base_amount) AS DECIMAL(18, 4)) AS cost_this_period"
            " FROM ledger_entries GROUP BY ALL ORDER BY ALL"
        ).to_arrow_table()
    columns = (
        ReportColumn("section", "Section", ColumnType.TEXT, "part of the chart"),
        ReportColumn("account", "Account", ColumnType.TEXT, "account of the chart"),
        ReportColumn("cost_to_date", "Cost to date", ColumnType.MONEY, "sum of entries", is_summed=True),
        ReportColumn("cost_this_period", "This period", ColumnType.MONEY, HOSTILE[5], is_summed=True),
    )
    return ReportTable("cost_report", "Cost report", columns, rows, "USD", ("section",), HOSTILE)


def entries(workspace: Workspace) -> ReportTable:
    """Return a table with a line per entry."""
    with workspace.ledger.read() as connection:
        rows = connection.sql(
            "SELECT entry_id, description, base_amount FROM ledger_entries ORDER BY entry_id"
        ).to_arrow_table()
    columns = (
        ReportColumn("entry_id", "Entry", ColumnType.TEXT, "id"),
        ReportColumn("description", "Description", ColumnType.TEXT, "text"),
        ReportColumn("base_amount", "In base", ColumnType.MONEY, "base", is_summed=True),
    )
    return ReportTable("lines", "Lines", columns, rows, "USD")


def write(workspace: Workspace, folder: Path) -> WrittenBook:
    return write_book(
        workspace,
        [costs(workspace), payables(), entries(workspace), replace(entries(workspace), name="entries")],
        folder,
        headline=HEADLINE,
        as_of=None,
        first=small.THURSDAY,
        last=small.TUESDAY,
    )


@pytest.fixture(scope="module")
def book(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> WrittenBook:
    return write(workspace, tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def split(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> WrittenBook:
    """Return the same book with its data in files beside the page, and pages for the longest table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "_MOST_EMBEDDED", 0)
        for module in (writing, html_tables):
            patch.setattr(module, "MOST_ROWS", 20)
        return write(workspace, tmp_path_factory.mktemp("split"))


class Page(HTMLParser):
    """Tags with attributes, and the data blocks of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = [("", {})]
        self.blocks: dict[str, str] = {}
        self.style = self.script = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self.tags.append((f"/{tag}", {}))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.tags[-1]
        if tag == "script" and attributes.get("id"):
            name = str(attributes["id"])
            self.blocks[name] = self.blocks.get(name, "") + data
        elif tag == "script":
            self.script += data
        elif tag == "style":
            self.style += data


@pytest.fixture(scope="module")
def page(book: WrittenBook) -> Page:
    return Page(book.page.read_text(encoding="utf-8"))


def block(page: Page, name: str) -> Any:  # noqa: ANN401 - JSON of any shape
    return json.loads(page.blocks[name])


def details(page: Page, cells: list[Any]) -> dict[str, Any]:
    """Return the cells of an entry on the page of its row, by name, as texts."""
    index = block(page, "book-index")
    return {
        name: index["words"][name][cell] if name in index["words"] and cell is not None else cell
        for name, cell in zip(index["details"], cells, strict=True)
    }


def test_the_page_makes_no_request_and_runs_its_own_script_alone(page: Page) -> None:
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert [attributes for attributes in scripts if "src" in attributes] == []
    assert len([attributes for attributes in scripts if attributes.get("type") != "application/json"]) == 1
    links = [attributes["href"] or "" for _, attributes in page.tags if "href" in attributes]
    assert {link[:1] for link in links} == {"#"}
    assert not [tag for tag, _ in page.tags if tag in {"img", "iframe", "object", "link", "b"}]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert not [attributes for _, attributes in page.tags if "style" in attributes]
    policy = next(attributes["content"] or "" for tag, attributes in page.tags if "http-equiv" in attributes)
    for text in (page.style, page.script):
        assert f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_every_entry_leads_to_its_raw_text_and_delivery(workspace: Workspace, page: Page) -> None:
    with workspace.ledger.read() as connection:
        expected = connection.execute(
            "SELECT account, entry_id, delivery, record FROM ledger_entries"
            " ORDER BY account, transaction_date, entry_id"
        ).fetchall()
    listed, rows, facts = (block(page, name) for name in ("entries-0000", "rows-0000", "facts-0000"))
    entries = rows["entries"]
    assert len(listed) == len(expected)
    assert all(listed[n][0] == r for r, n, *_ in entries)
    for n, (account, entry_id, delivery, record) in enumerate(expected):
        row = rows["rows"][listed[n][0]]
        (entry,) = (details(page, one) for _, *one in entries if one[0] == n)
        assert (entry["account"], entry["entry_id"], row[1]) == (account, entry_id, record)
        assert facts["deliveries"][row[0]]["sha256"] == delivery
        assert entry["document_no"] in row[5]
        # An amount in the base currency has no rate of a snapshot.
        if entry["snapshot_id"] != IDENTITY:
            assert facts["rates"][entry["snapshot_id"]][entry["currency"]][1] <= entry["transaction_date"]


def test_the_sums_of_accounts_are_those_of_the_ledger(workspace: Workspace, page: Page) -> None:
    index, listed = block(page, "book-index"), block(page, "entries-0000")
    for account in index["accounts"]:
        ours = listed[account["first"] : account["first"] + account["entries"]]
        assert sum(Decimal(entry[9]) for entry in ours) == Decimal(account["base"])
    with workspace.ledger.read() as connection:
        total = connection.execute("SELECT sum(base_amount) FROM ledger_entries").fetchall()[0][0]
    assert sum(Decimal(account["base"]) for account in index["accounts"]) == total


def test_no_personal_field_is_in_the_book(book: WrittenBook) -> None:
    text = book.page.read_text(encoding="utf-8")
    assert "DE999000105" not in text
    assert "E-0400" not in text
    assert "V-DE-010" in text


def test_hostile_text_is_escaped_everywhere(book: WrittenBook) -> None:
    text = book.page.read_text(encoding="utf-8")
    assert text.count("</script>") == text.count("<script")
    assert "<!--" not in text
    assert "<img" not in text
    assert not {"\u2028", "\u202e"} & set(text)


def test_figures_link_to_the_entries_that_they_add_up(page: Page) -> None:
    links = {attributes["href"] for tag, attributes in page.tags if tag == "a"}
    assert "#/account/3630" in links
    assert f"#/account/3630?from={small.THURSDAY}" in links
    assert any(re.fullmatch(r"#/row/\d+\?n=\d+", link or "") for link in links)
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert {link.removeprefix("#") for link in links if link and not link.startswith("#/")} <= ids


def test_a_book_made_again_has_the_same_bytes(
    workspace: Workspace, book: WrittenBook, tmp_path: Path
) -> None:
    assert write(workspace, tmp_path).page.read_bytes() == book.page.read_bytes()
    assert (book.data_files, book.missing_texts) == (0, 0)


def test_large_data_is_in_files_beside_the_page(split: WrittenBook, page: Page) -> None:
    names = sorted(path.name for path in (split.page.parent / "book").iterdir())
    assert names == ["entries-0000.js", "facts-0000.js", "rows-0000.js", "table2-0000.js"]
    assert split.data_files == 4
    for name in names[:3]:
        text = (split.page.parent / "book" / name).read_text(encoding="utf-8")
        kind, _, number = name.removesuffix(".js").partition("-")
        content = text.removeprefix(f'showcostBook("{kind}",{int(number)},').removesuffix(");\n")
        assert json.loads(content) == block(page, f"{kind}-{number}")


@dataclass(frozen=True)
class Shown:
    """A page as the browser shows it."""

    markup: str

    @property
    def view(self) -> str:
        return self.markup.partition('<div id="view">')[2].partition("</main>")[0]

    @property
    def title(self) -> str:
        return self.markup.partition("<title>")[2].partition("</title>")[0]


def shown(book: WrittenBook, place: str, profile: Path) -> Shown:
    done = subprocess.run(  # noqa: S603 - a program of the system, with paths of our own
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"),
            *("--virtual-time-budget=5000", "--dump-dom", f"file://{book.page}{place}"),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return Shown(done.stdout.decode())


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("kind", ["book", "split"])
def test_a_browser_goes_from_a_figure_to_the_raw_text(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    book = request.getfixturevalue(kind)
    account = shown(book, "#/account/3630", tmp_path)
    assert "Account 3630" in account.title
    assert "&lt;/script&gt;&lt;script&gt;" in account.view
    assert "right[U+202E]to left" in account.view
    assert "<script" not in account.view
    target = re.search(r'href="(#/row/\d+\?n=\d+)">R2<', account.view)
    assert target
    row = shown(book, target.group(1), tmp_path)
    assert "R2;28.10.2026" in row.view
    assert ";***;" in row.view
    assert "1 week.csv" in row.view
    assert "units per euro" in row.view.lower()


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_finds_entries_and_pages_through_long_tables(split: WrittenBook, tmp_path: Path) -> None:
    found = shown(split, "#/search?q=R2&amount=1.234,56", tmp_path)
    assert "1 entry, in base" in found.view
    assert ">R2<" in found.view
    listed = shown(split, "#/table/entries", tmp_path)
    assert listed.view.count("#/row/") == min(entries_of(split), 200)
    table = shown(split, "#/table/lines", tmp_path)
    assert table.view.count("<tr") == entries_of(split) + 1
    missing = shown(split, "#/account/9999", tmp_path)
    assert "No entry is posted to this account" in missing.view
    document = shown(split, "#/search?amount=1469.13", tmp_path)
    assert document.view.count(">R2<") > 1
    assert "This is not a date such as 2026-10-31: junk" in shown(split, "#/search?from=junk", tmp_path).view
    assert "There is no such row" in shown(split, "#/row/junk", tmp_path).view


def entries_of(book: WrittenBook) -> int:
    count: int = block(Page(book.page.read_text(encoding="utf-8")), "book-index")["entries"]
    return count


def test_a_table_without_rows_says_so(workspace: Workspace, tmp_path: Path) -> None:
    empty = costs(workspace)
    table = ReportTable("none", "None", empty.columns, empty.rows.slice(0, 0), "USD", ("section",))
    book = write_book(
        workspace, [table], tmp_path, headline=(), as_of=1, first=small.THURSDAY, last=small.TUESDAY
    )
    assert "<p>No rows.</p>" in book.page.read_text(encoding="utf-8")
    assert pa.types.is_decimal(table.rows.schema.field("cost_to_date").type)
