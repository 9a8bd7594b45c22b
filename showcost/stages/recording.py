"""What validation writes into the audit log: the outcome of every row, before anything uses it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow.compute as pc

from showcost.core.hashing import SHORT
from showcost.ledger import states
from showcost.ledger.audit import AuditLog
from showcost.ledger.states import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from showcost.config.home import Home
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
    audit = AuditLog(home.path)
    with duckdb.connect() as connection:
        connection.register("valid_rows", outcome.valid)
        connection.register("quarantine_rows", outcome.quarantine)
        outcomes = connection.sql(_OUTCOMES).to_arrow_table()
    dispositions: Counter[str] = Counter(outcomes.column("disposition").to_pylist())
    codes: Counter[str] = Counter(pc.list_flatten(outcomes.column("codes")).to_pylist())
    deliveries = sorted(outcomes.column("delivery").unique().to_pylist())
    audit.append(
        Kind.VALIDATED,
        {
            "feed": feed,
            "from": str(partitions[0]),
            "to": str(partitions[-1]),
            "rows": outcomes.num_rows,
            "dispositions": dict(sorted(dispositions.items())),
            "codes": dict(sorted(codes.items())),
        },
        subjects=[states.partition(feed, day) for day in partitions],
        needs=[states.delivery(sha256) for sha256 in deliveries],
        segment=audit.store_segment(Kind.VALIDATED, outcomes),
    )
