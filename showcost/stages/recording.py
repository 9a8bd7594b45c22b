"""What validation and replay write into the audit log: the outcome of every row, before anything uses it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from showcost.core.engine import engine
from showcost.core.hashing import SHORT
from showcost.ledger import states
from showcost.ledger.audit import AuditLog
from showcost.ledger.states import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    import pyarrow as pa

    from showcost.config.home import Home
    from showcost.ledger.audit import Fact
    from showcost.ledger.states import Subject
    from showcost.validation.split import Outcome

VALID: Final = "valid"
"""The disposition of a row that may be posted, beside those of the quarantine."""

_OUTCOMES: Final = f"""
SELECT delivery, record, CAST(NULL AS BIGINT) AS byte_start, row_key, transaction_date,
    '{VALID}' AS disposition, flags AS codes,
    content, NULL AS reasons
FROM valid_rows
UNION ALL
SELECT delivery, record, byte_start, row_key, transaction_date, disposition, codes,
    NULL AS content, sha256(reasons)[:{SHORT}] AS reasons
FROM quarantine_rows
ORDER BY transaction_date, delivery, record, byte_start
"""  # noqa: S608 - constants only


def record_validated(home: Home, feed: str, outcome: Outcome, partitions: Sequence[date | str]) -> None:
    """Record the outcome of each row of some partitions; before valid and quarantined rows are staged.

    The segment has codes and hashes (`reasons` is the hash of what was observed and expected), no text.
    """
    facts: dict[str, Fact] = {"feed": feed, "from": str(partitions[0]), "to": str(partitions[-1])}
    subjects = [states.partition(feed, day) for day in partitions]
    _record(home, Kind.VALIDATED, facts, (outcome.valid, outcome.quarantine), subjects)


def record_replayed(
    home: Home,
    feed: str,
    outcomes: tuple[pa.Table, pa.Table],
    partitions: Sequence[str],
    row_ids: Sequence[str],
) -> None:
    """Record the outcome of rows that were replayed; before anything of them is staged.

    `outcomes` are the valid and the quarantined ones, `partitions` all that the rows leave and come into.
    The segment is as that of a validation.
    """
    subjects = [
        *(states.partition(feed, part) for part in partitions),
        *(states.row(name) for name in sorted(row_ids)),
    ]
    _record(home, Kind.REPLAYED, {"feed": feed}, outcomes, subjects)


def _record(
    home: Home,
    kind: Kind,
    facts: Mapping[str, Fact],
    outcomes: tuple[pa.Table, pa.Table],
    subjects: Sequence[Subject],
) -> None:
    audit = AuditLog(home.path)
    with engine() as connection:
        connection.register("valid_rows", outcomes[0])
        connection.register("quarantine_rows", outcomes[1])
        rows = connection.sql(_OUTCOMES).to_arrow_table()
    dispositions: Counter[str] = Counter(rows.column("disposition").to_pylist())
    codes: Counter[str] = Counter(pc.list_flatten(rows.column("codes")).to_pylist())
    deliveries = sorted(rows.column("delivery").unique().to_pylist())
    counted: dict[str, Fact] = {
        "rows": rows.num_rows,
        "dispositions": dict(sorted(dispositions.items())),
        "codes": dict(sorted(codes.items())),
    }
    audit.append(
        kind,
        {**facts, **counted},
        subjects=subjects,
        needs=[states.delivery(sha256) for sha256 in deliveries],
        segment=audit.store_segment(kind, rows),
    )
