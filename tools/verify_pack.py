#!/usr/bin/env python3
"""Check a pack of showcost with nothing but Python's standard library.

    python verify_pack.py DIR [--head HASH] [--log FILE]

DIR is the pack of a report (it has a manifest.json) or one that `showcost verify --pack DIR` wrote. Of a
report it checks that no file is missing, extra or changed, that the rows and totals of every CSV file are
those of the manifest, that the cost report is the sum of its entries, purchase orders, estimates and budget
revisions, account by account, and that the headline figures are its totals; with --head, that the report
rests on the audit log with that head; with --log, the log.jsonl of an audit pack, that the log seals it.

Of the other one it recomputes, from the files of the pack alone:

1. the audit log: every line is canonical JSON, hashes to its `hash`, and names the hash of the line before;
   with --head, a head that you wrote down earlier is still in it
2. the rates: each snapshot hashes to what the log says was pinned
3. the entries: each batch hashes to the digest that the log announced, with the counts and sums announced;
   no batch is missing, none is there that was not announced and acknowledged
4. the reversals: each negates one posting of its date exactly
5. the conversions: every base amount, with the decimal module, from amount and pinned rates
6. the digest of the whole ledger, to compare with `showcost digest`
7. the plan lines (purchase orders, estimates, budget revisions): each record's lines hash to what the log
   announced; a withdrawal repeats one earlier line, once

The hashes are described in docs/audit.md. Exit status 0: everything is as recorded; 1: the first difference
is named; 2: the folder is not a pack.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

LEAF = 1024
# The tables that a cost report adds up, each with the column that its `report_amount` goes to.
PARTS = {
    "entries": "",
    "commitments": "commitments",
    "estimates": "etc",
    "budget_revisions": "revisions",
}
ADDED = ("cost_to_date", "cost_period", "commitments", "etc", "revisions")
COST_COLUMNS = (
    "cost_period cost_to_date commitments total_cost etc efc budget_approved budget_revised variance"
).split()
REPORT_FORM = "showcost-report-1"
# ISO 4217: currencies with other than two decimals.
DECIMALS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}

# The columns of an entry in order, by the form of the pack; an entry of line version 1 has the first ones.
FIRST_COLUMNS = (
    "entry_id entry_kind generation reverses component transaction_date production feed record_kind row_key"
    " content delivery record account union_category vendor_code vendor_name description series location"
    " set_code document_no currency amount base_currency base_amount eur_rate_original eur_rate_base rate"
    " rate_date snapshot_id fx_policy pay_rules flags"
).split()
LATER_COLUMNS = (
    "document_id po_no vendor_country tax_code service_from service_to due_date jurisdiction loan_out"
    " earning_type"
).split()
COLUMNS = {
    "showcost-pack-1": FIRST_COLUMNS,
    "showcost-pack-2": [*FIRST_COLUMNS, *LATER_COLUMNS],
    "showcost-pack-3": [*FIRST_COLUMNS, *LATER_COLUMNS],
}
WITH_PLANS = "showcost-pack-3"
PLAN_COLUMNS = (
    "line_id line_kind generation withdraws production feed record_kind row_key content delivery arrival"
    " record stated_on flags account series location set currency amount po_no line_no vendor_code"
    " vendor_name description service_from service_to is_closed revision_no stated_by reason"
).split()


class Difference(Exception):
    """The first thing that is not as recorded."""


def sha256(data: bytes) -> str:
    """Return the sha256 in hex."""
    return hashlib.sha256(data).hexdigest()


ANNOUNCING = (
    *("intent", "fx_pinned", "fx_repinned", "decided", "period_closed", "period_reopened"),
    *("accrued", "released", "stood_in", "gave_way", "planned"),
)
"""The kinds of record that announce a transaction of the ledger."""


def framed(values: list[Any]) -> bytes:
    """Return the JSON array over which digests are built."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def canonical(record: dict[str, Any]) -> bytes:
    """Return the canonical JSON of an audit record."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def check_log(path: Path, head: str | None) -> list[dict[str, Any]]:
    """Return the records of the audit log once the chain holds."""
    records, previous, hashes = [], "0" * 64, set()
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        try:
            record = json.loads(line)
            body = {name: value for name, value in record.items() if name != "hash"}
        except ValueError:
            raise Difference(f"log.jsonl, line {number}: it is no JSON") from None
        if sha256(canonical(body)) != record.get("hash") or canonical(record) + b"\n" != line:
            raise Difference(f"log.jsonl, line {number}: it was changed")
        if record["seq"] != number or record["prev"] != previous:
            raise Difference(f"log.jsonl, line {number}: it does not follow the line before")
        previous = record["hash"]
        hashes.add(previous)
        records.append(record)
    if head is not None and head not in hashes:
        raise Difference(f"log.jsonl: the head {head} is not in it")
    return records


def check_configurations(folder: Path, records: list[dict[str, Any]]) -> int:
    """Check that every file of every configuration is in the pack; return their number.

    A validation or posting names a configuration that was recorded before it.
    """
    known: set[str] = set()
    files: dict[str, str] = {}
    for record in records:
        facts = record["facts"]
        if record["kind"] == "configured":
            parts = sorted(facts["parts"].items())
            if sha256(framed([text for part in parts for text in part])) != facts["configuration"]:
                raise Difference(f"log.jsonl, record {record['seq']}: its configuration has another id")
            known.add(facts["configuration"])
            files |= {hashed: name for name, hashed in parts}
        elif facts.get("configuration") is not None and facts["configuration"] not in known:
            raise Difference(f"log.jsonl, record {record['seq']}: its configuration was never recorded")
    for hashed, name in files.items():
        path = folder / hashed
        if not path.is_file():
            raise Difference(f"configurations: {name} ({hashed}) is missing")
        if sha256(path.read_bytes()) != hashed:
            raise Difference(f"configurations: {name} ({hashed}) was changed")
    return len(files)


def check_heads(path: Path, records: list[dict[str, Any]]) -> None:
    """Check that ledger and log attest each other, transaction by transaction."""
    announced = [(str(record["seq"]), record["hash"]) for record in records if record["kind"] in ANNOUNCING]
    with path.open(newline="", encoding="utf-8") as stream:
        attested = [(row["seq"], row["hash"]) for row in csv.DictReader(stream)]
    for transaction in announced:
        if transaction not in attested:
            raise Difference(
                f"heads.csv: the ledger does not have the transaction of record {transaction[0]}"
            )
    if extra := sorted(set(attested) - set(announced)):
        raise Difference(f"heads.csv: the log does not have record {extra[0][0]} as the ledger knows it")
    acknowledged = {record["facts"]["intent"] for record in records if record["kind"] == "committed"}
    for record in records:
        if record["kind"] == "intent" and record["seq"] not in acknowledged:
            raise Difference(f"log.jsonl, record {record['seq']}: it was never acknowledged")


def check_rates(path: Path, records: list[dict[str, Any]]) -> dict[str, dict[str, Decimal]]:
    """Return the rates by snapshot and currency once each snapshot has its pinned hash."""
    pinned = {
        snapshot["snapshot_id"]: (snapshot["date"], snapshot["hash"])
        for record in records
        if record["kind"] in {"fx_pinned", "fx_repinned"}
        for snapshot in record["facts"]["snapshots"]
    }
    rates: dict[str, dict[str, Decimal]] = {}
    with path.open(newline="", encoding="utf-8") as stream:
        for name, rows in groupby(csv.DictReader(stream), key=lambda row: row["snapshot_id"]):
            lines, of_snapshot, days = [], {}, set()
            for row in sorted(rows, key=lambda row: row["currency"]):
                rate = Decimal(row["rate"])
                text = f"{rate:f}"
                text = text.rstrip("0").rstrip(".") if "." in text else text
                lines.append(f"{row['currency']} {text} {row['publication_date']}")
                of_snapshot[row["currency"]] = rate
                days.add(row["date"])
            day, expected = pinned.get(name, ("", ""))
            computed = sha256("\n".join(["showcost-fx-snapshot-1", day, *lines]).encode())
            if computed != expected or days != {day} or name in rates:
                raise Difference(f"rates.csv: snapshot {name} differs from the pinned one")
            rates[name] = of_snapshot
    if missing := sorted(pinned.keys() - rates.keys()):
        raise Difference(f"rates.csv: snapshot {missing[0]} is missing")
    return rates


class Lines:
    """The hash over canonical lines of one date, by leaves."""

    def __init__(self, day: str) -> None:
        self.day, self.rows, self.leaf = day, 0, hashlib.sha256()
        self.leaves: list[str] = []

    def add(self, line: bytes) -> None:
        """Add a line, its line feed included."""
        self.leaf.update(line)
        self.rows += 1
        if self.rows % LEAF == 0:
            self.close()

    def close(self) -> None:
        """End a leaf."""
        self.leaves.append(self.leaf.hexdigest())
        self.leaf = hashlib.sha256()

    def finish(self) -> str:
        """Return the hash."""
        if self.rows % LEAF:
            self.close()
        return sha256(framed([self.day, self.rows, *self.leaves]))


class Batch(Lines):
    """The entries of one batch: hash, and sums per currency and in base."""

    def __init__(self, day: str) -> None:
        super().__init__(day)
        self.totals: dict[str, Decimal] = {}
        self.base = Decimal(0)
        self.rows_seen: set[str] = set()

    def count(self, entry: dict[str, Any]) -> None:
        """Add an entry to the sums."""
        amount = Decimal(entry["amount"])
        self.totals[entry["currency"]] = self.totals.get(entry["currency"], Decimal(0)) + amount
        self.base += Decimal(entry["base_amount"])
        self.rows_seen.add(entry["row_key"])


def check_entry(entry: dict[str, Any], rates: dict[str, dict[str, Decimal]]) -> None:
    """Convert an entry anew."""
    amount, currency, base = Decimal(entry["amount"]), entry["currency"], entry["base_currency"]
    of_snapshot = rates.get(entry["snapshot_id"], {})
    if entry["snapshot_id"] == "base" and currency == base:
        # The base currency is converted by no rate.
        of_snapshot = {base: Decimal(1)}
    if currency not in of_snapshot or base not in of_snapshot:
        raise Difference(f"entry {entry['entry_id']}: {entry['snapshot_id']} has no rate for it")
    if (Decimal(entry["eur_rate_original"]), Decimal(entry["eur_rate_base"])) != (
        of_snapshot[currency],
        of_snapshot[base],
    ):
        raise Difference(f"entry {entry['entry_id']}: it shows other rates than {entry['snapshot_id']} has")
    expected = amount
    if currency != base:
        unit = Decimal(1).scaleb(-DECIMALS.get(base, 2))
        expected = (amount * of_snapshot[base] / of_snapshot[currency]).quantize(unit, ROUND_HALF_UP)
    if expected != Decimal(entry["base_amount"]):
        raise Difference(
            f"entry {entry['entry_id']}: {amount} {currency} are {expected} {base},"
            f" it says {entry['base_amount']}"
        )


class Reversals:
    """Reversals and the postings that they negate; both have the same date and come in any order."""

    def __init__(self) -> None:
        self.reversed: dict[str, tuple[str, Decimal, Decimal]] = {}
        self.postings: dict[str, tuple[str, Decimal, Decimal]] = {}
        self.day = ""

    def add(self, entry: dict[str, Any]) -> None:
        """Take in an entry; those of a date come together."""
        if entry["transaction_date"] != self.day:
            self.close()
            self.day = entry["transaction_date"]
        sign = 1 if entry["entry_kind"] == "posting" else -1
        apart = ("entry_id", "entry_kind", "reverses", "amount", "base_amount")
        same = (
            json.dumps([value for name, value in entry.items() if name not in apart]),
            sign * Decimal(entry["amount"]),
            sign * Decimal(entry["base_amount"]),
        )
        if entry["entry_kind"] == "posting" and entry["reverses"] is None:
            self.postings[entry["entry_id"]] = same
        elif entry["entry_kind"] == "reversal" and entry["reverses"] not in self.reversed:
            self.reversed[entry["reverses"]] = same
        else:
            raise Difference(
                f"entry {entry['entry_id']}: it reverses an entry that is already reversed, or none"
            )

    def close(self) -> None:
        """Compare the reversals of a date with its postings."""
        for name, same in self.reversed.items():
            if self.postings.get(name) != same:
                raise Difference(f"entry {name}: its reversal is not its exact negation")
        self.reversed, self.postings = {}, {}


def check_entries(
    path: Path, facts: dict[str, Any], records: list[dict[str, Any]], rates: dict[str, dict[str, Decimal]]
) -> tuple[int, str]:
    """Return the number of entries and the digest of all once every batch is as announced.

    `facts` are those of pack.json, which may name no other production or base currency.
    """
    columns = COLUMNS[facts["form"]]
    if facts["columns"] != columns:
        raise Difference("pack.json: it names other columns than its form has")
    announced = {
        batch["batch_id"]: batch
        for record in records
        if record["kind"] == "intent"
        for batch in record["facts"]["batches"]
    }
    count, balance = 0, Reversals()
    framed_days: list[Any] = []
    with path.open("rb") as stream, localcontext() as context:
        context.prec = 60
        for day, lines in groupby(_parsed(stream, columns), key=lambda item: item[2]["transaction_date"]):
            whole, last = Lines(day), ""
            batches: dict[str, Batch] = {}
            for name, line, entry in lines:
                if entry["entry_id"] <= last or (framed_days and day <= framed_days[-3]):
                    raise Difference(f"entry {entry['entry_id']}: it is there twice or out of order")
                last = entry["entry_id"]
                for fact in ("production", "base_currency"):
                    if entry[fact] != facts[fact]:
                        raise Difference(f"pack.json: its {fact} is {facts[fact]}, {last} has {entry[fact]}")
                check_entry(entry, rates)
                balance.add(entry)
                whole.add(line)
                batch = batches.setdefault(name, Batch(day))
                batch.add(line)
                batch.count(entry)
            for name, batch in batches.items():
                check_batch(name, batch, announced.pop(name, None))
            framed_days += [day, whole.rows, whole.finish()]
            count += whole.rows
    balance.close()
    if announced:
        raise Difference(f"entries.txt: batch {min(announced)} is missing")
    return count, sha256(framed(framed_days))


def _parsed(stream: BinaryIO, columns: list[str]) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Yield batch, canonical line and values of each entry; columns that its line version lacks are null."""
    for line in stream:
        name, _, text = line.partition(b"\t")
        values = json.loads(text)
        if len(values) == len(FIRST_COLUMNS):
            values += [None] * (len(columns) - len(values))
        yield name.decode(), text, dict(zip(columns, values, strict=True))


def check_batch(name: str, batch: Batch, recorded: dict[str, Any] | None) -> None:
    """Compare a batch with its prepare record."""
    if recorded is None:
        raise Difference(f"entries.txt: batch {name} is not in the audit log")
    computed = (
        batch.day,
        batch.rows,
        batch.finish(),
        len(batch.rows_seen),
        batch.totals,
        batch.base,
    )
    expected = (
        recorded["partition_date"],
        recorded["entries"],
        recorded["digest"],
        recorded["rows"],
        {currency: Decimal(total) for currency, total in recorded["totals"].items()},
        Decimal(recorded["base_total"]),
    )
    names = ("date", "entries", "digest", "rows", "totals", "base total")
    for figure, ours, theirs in zip(names, computed, expected, strict=True):
        if ours != theirs:
            raise Difference(f"batch {name} of {batch.day}: {figure} {ours}, recorded {theirs}")


def check_plans(path: Path, facts: dict[str, Any], records: list[dict[str, Any]]) -> tuple[int, int]:
    """Return the number of plan lines, and how many have no digest in the log, once all are as announced."""
    if facts["plan_columns"] != PLAN_COLUMNS:
        raise Difference("pack.json: it names other columns of plan lines than its form has")
    planned = {record["seq"]: record["facts"] for record in records if record["kind"] == "planned"}
    lines: dict[str, dict[str, Any]] = {}
    withdrawn: set[str] = set()
    undigested = 0
    with path.open("rb") as stream:
        for number, group in groupby(stream, key=lambda line: int(line.partition(b"\t")[0])):
            announced = planned.pop(number, None)
            if announced is None:
                raise Difference(
                    f"plan_lines.txt: record {number} of the log announces no plan lines, or they are apart"
                )
            hashed, kinds, texts = hashlib.sha256(), dict[str, int](), []
            for line in group:
                text = line.partition(b"\t")[2]
                hashed.update(text)
                values = dict(zip(PLAN_COLUMNS, json.loads(text), strict=True))
                kinds[values["line_kind"]] = kinds.get(values["line_kind"], 0) + 1
                texts.append(values)
            expected = announced.get("digest")
            if kinds != announced["lines"] or expected not in (None, hashed.hexdigest()):
                raise Difference(f"plan_lines.txt: the lines of record {number} are not those of the log")
            undigested += len(texts) if expected is None else 0
            for values in texts:
                check_plan_line(values, facts, lines, withdrawn)
    if planned:
        raise Difference(f"plan_lines.txt: the lines of record {min(planned)} are missing")
    return len(lines) + len(withdrawn), undigested


def check_plan_line(
    values: dict[str, Any], facts: dict[str, Any], lines: dict[str, dict[str, Any]], withdrawn: set[str]
) -> None:
    """Check id, production and kind of a plan line; `lines` and `withdrawn` are those before it."""
    name, kind, former = values["line_id"], values["line_kind"], values["withdraws"]
    version = kind if values["generation"] == 1 else f"{kind} {values['generation']}"
    key = framed(["plan", values["production"], values["feed"], values["row_key"], version])
    if sha256(key)[:32] != name or name in lines or values["production"] != facts["production"]:
        raise Difference(f"plan line {name}: it is there twice, or its id is not that of its key")
    Decimal(values["amount"])
    apart = {"line_id": None, "line_kind": None, "withdraws": None}
    if kind == "line" and former is None:
        lines[name] = values | apart
    elif kind == "withdrawal" and lines.get(former) == values | apart and former not in withdrawn:
        withdrawn.add(former)
    else:
        raise Difference(f"plan line {name}: it does not repeat the one line that it withdraws")


def report_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a report, or None if the folder is not the pack of one."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        parts = (manifest["files"], manifest["tables"], manifest["as_of"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    expected = manifest.get("form") == REPORT_FORM and [type(part) for part in parts] == [dict, list, dict]
    return manifest if expected else None


def check_files(folder: Path, recorded: dict[str, Any]) -> None:
    """Check that the files of a report are those of its manifest, byte for byte."""
    present = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    present.pop("manifest.json")
    for name in sorted(recorded.keys() | present.keys()):
        if name not in present:
            raise Difference(f"{name}: the manifest names it, but it is missing")
        if name not in recorded:
            raise Difference(f"{name}: the manifest does not name it")
        if present[name].is_symlink() or not present[name].is_file():
            raise Difference(f"{name}: it is not a file")
        data = present[name].read_bytes()
        if (len(data), sha256(data)) != (recorded[name]["size"], recorded[name]["sha256"]):
            raise Difference(f"{name}: it was changed")


def check_table(folder: Path, table: dict[str, Any]) -> None:
    """Check that a CSV file of a report has the rows and totals of the manifest."""
    expected = {(column, ""): Decimal(total) for column, total in table["totals"].items()}
    for column, amounts in table["totals_by_currency"].items():
        expected |= {(column, currency): Decimal(total) for currency, total in amounts.items()}
    name, rows, found = f"csv/{table['name']}.csv", 0, dict.fromkeys(expected, Decimal(0))
    with localcontext() as context:
        context.prec = 60
        for row in csv_rows(folder, table["name"]):
            rows += 1
            for column, currency in expected:
                if row[column] and currency in ("", row.get("currency")):
                    found[column, currency] += Decimal(row[column])
    if rows != table["rows"]:
        raise Difference(f"{name}: it has {rows} rows, the manifest says {table['rows']}")
    for (column, currency), total in expected.items():
        if found[column, currency] != total:
            raise Difference(
                f"{name}: {column} {currency} comes to {found[column, currency]}, the manifest says {total}"
            )


def csv_rows(folder: Path, table: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file of a report."""
    with (folder / "csv" / f"{table}.csv").open(newline="", encoding="utf-8") as stream:
        yield from csv.DictReader(stream)


def check_headline(manifest: dict[str, Any]) -> None:
    """Check that each headline figure is the total of its table, which `check_table` has added up."""
    totals = {table["name"]: table["totals"] for table in manifest["tables"]}
    for figure in manifest["headline"]:
        total = totals.get(figure["table"], {}).get(figure["column"])
        if total is None or Decimal(total) != Decimal(figure["value"]):
            raise Difference(
                f"manifest.json: {figure['title']} is {figure['value']}, its table comes to {total}"
            )


def check_costs(folder: Path, manifest: dict[str, Any]) -> int:
    """Check each account of the cost report against the tables that it adds up; return their number.

    Accounts that the chart has not as costs are in no line of the report, and a note says so.
    """
    if not {"cost_report", *PARTS} <= {table["name"] for table in manifest["tables"]}:
        return 0
    sums, accounts = added_up(folder, manifest), 0
    for row in csv_rows(folder, "cost_report"):
        accounts += 1
        cells = {name: Decimal(row[name] or 0) for name in COST_COLUMNS}
        cells["revisions"] = cells["budget_revised"] - cells["budget_approved"]
        expected = {name: sums.get((row["account"], name), Decimal(0)) for name in ADDED}
        expected["total_cost"] = cells["cost_to_date"] + cells["commitments"]
        expected["efc"] = cells["total_cost"] + cells["etc"]
        expected["variance"] = cells["budget_revised"] - cells["efc"]
        for name, value in expected.items():
            if cells[name] != value:
                raise Difference(
                    f"csv/cost_report.csv: {name} of account {row['account']} is {cells[name]}, the tables"
                    f" that it adds up come to {value}"
                )
    return accounts


def added_up(folder: Path, manifest: dict[str, Any]) -> dict[tuple[str, str], Decimal]:
    """Return the sums of entries and plan tables by account and column of the cost report."""
    translated = manifest["currency"] != manifest["production"]["base_currency"]
    amount = "report_amount" if translated else "base_amount"
    first = manifest["period"]["from"]
    parts = [
        (row["account"], column, row[amount])
        for row in csv_rows(folder, "entries")
        if row["account_kind"] == "cost"
        for column in ("cost_to_date", *(["cost_period"] if row["transaction_date"] >= first else []))
    ]
    parts += [
        (row["account"], column, row["report_amount"])
        for table, column in PARTS.items()
        if column
        for row in csv_rows(folder, table)
    ]
    sums: dict[tuple[str, str], Decimal] = {}
    for account, column, text in parts:
        sums[account, column] = sums.get((account, column), Decimal(0)) + Decimal(text or 0)
    return sums


def check_seal(seal: str, as_of: dict[str, Any], records: list[dict[str, Any]]) -> None:
    """Check that an audit log seals a report, and that the report rests on it."""
    number = as_of["record"]
    if number and (number > len(records) or records[number - 1]["hash"] != as_of["head"]):
        raise Difference(f"manifest.json: record {number} of the log has another hash than {as_of['head']}")
    sealed = {record["facts"]["manifest"] for record in records if record["kind"] == "snapshot_published"}
    if seal not in sealed:
        raise Difference(f"manifest.json: no record of the log seals it (sha256 {seal})")


def check_report(folder: Path, manifest: dict[str, Any], head: str | None, log: Path | None) -> int:
    """Check the pack of a report and print the result; return the exit status."""
    csv.field_size_limit(sys.maxsize)
    try:
        if head is not None and manifest["as_of"]["head"] != head:
            raise Difference(f"manifest.json: it rests on the head {manifest['as_of']['head']}, not {head}")
        check_files(folder, manifest["files"])
        for table in manifest["tables"]:
            check_table(folder, table)
        check_headline(manifest)
        with localcontext() as context:
            context.prec = 60
            accounts = check_costs(folder, manifest)
        seal = sha256((folder / "manifest.json").read_bytes())
        if log is not None:
            check_seal(seal, manifest["as_of"], check_log(log, head))
        period, as_of, ledger = manifest["period"], manifest["as_of"], manifest["ledger"]
        lines = [
            f"As recorded: {len(manifest['files'])} files, {len(manifest['tables'])} tables.",
            f"Added up again: {len(manifest['headline'])} headline figures, {accounts} accounts.",
            f"{period['from']} to {period['to']}, as of audit record {as_of['record']} ({as_of['at']})",
            f"Digest of the ledger  {ledger['digest']}",
            f"Head of the audit log {as_of['head']}",
            f"sha256 of the manifest {seal}{'' if log is None else ', sealed in the audit log'}",
        ]
    except Difference as difference:
        print(f"NOT as recorded: {difference}")
        return 1
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, csv.Error) as error:
        print(f"NOT as recorded: a file of the pack is damaged ({type(error).__name__}: {error})")
        return 1
    print("\n".join(lines))
    return 0


def check_pack(folder: Path, facts: dict[str, Any], head: str | None) -> int:
    """Check an audit pack and print the result; return the exit status."""
    plans, undigested, files = 0, 0, 0
    try:
        records = check_log(folder / "log.jsonl", head)
        files = check_configurations(folder / "configurations", records)
        check_heads(folder / "heads.csv", records)
        rates = check_rates(folder / "rates.csv", records)
        count, digest = check_entries(folder / "entries.txt", facts, records, rates)
        if facts["form"] == WITH_PLANS:
            plans, undigested = check_plans(folder / "plan_lines.txt", facts, records)
        elif any(record["kind"] == "planned" for record in records):
            raise Difference(f"pack.json: a pack of the form {facts['form']} does not have the plan lines")
        if (facts["entries"], facts["digest"]) != (count, digest):
            raise Difference(f"pack.json: it says digest {facts['digest']}, found {digest}")
        if records and (facts["head"], facts["records"]) != (records[-1]["hash"], len(records)):
            raise Difference(f"pack.json: it says head {facts['head']}, the log ends otherwise")
    except Difference as difference:
        print(f"NOT as recorded: {difference}")
        return 1
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        print(f"NOT as recorded: a file of the pack is damaged ({type(error).__name__}: {error})")
        return 1
    print(
        f"As recorded: {count} entries, {plans} plan lines, {len(rates)} FX snapshots,"
        f" {len(records)} audit records, {files} configuration files."
    )
    if undigested:
        print(f"{undigested} plan lines have no digest in the log: their number is proven, not their text.")
    print(f"Digest of the ledger  {digest}")
    print(f"Head of the audit log {facts['head']}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Check the pack named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pack", type=Path, help="the folder of the pack")
    parser.add_argument("--head", help="a head of the audit log that you wrote down earlier")
    parser.add_argument(
        "--log", type=Path, help="of a report: the log.jsonl of an audit pack, which must seal it"
    )
    options = parser.parse_args(arguments)
    if (manifest := report_manifest(options.pack)) is not None:
        return check_report(options.pack, manifest, options.head, options.log)
    try:
        facts = json.loads((options.pack / "pack.json").read_text(encoding="utf-8"))
        if facts["form"] not in COLUMNS:
            raise KeyError("form")
    except (OSError, ValueError, KeyError, TypeError):
        print(f"{options.pack}: this is not a pack of showcost", file=sys.stderr)
        return 2
    return check_pack(options.pack, facts, options.head)


if __name__ == "__main__":
    sys.exit(main())
