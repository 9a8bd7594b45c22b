"""Metadata of a partition's rows, as the UI shows it."""

from __future__ import annotations

import pyarrow as pa

from showcost.components.outcome_metadata import unchecked_metadata
from showcost.pay.checker import PAY_UNCHECKED


def test_rules_that_were_not_checked_are_counted_per_rule() -> None:
    texts = ["SC-PAY-001: no scale; SC-PAY-004: no clock times", None, "SC-PAY-001: no scale"]
    metadata = unchecked_metadata(pa.table({PAY_UNCHECKED: pa.array(texts, pa.string())}))
    assert metadata["rows_with_rules_not_checked"] == 2
    listed = {record.data["code"]: record.data["rows"] for record in metadata["rules_not_checked"].records}
    assert listed == {"SC-PAY-001": "2", "SC-PAY-004": "1"}


def test_a_partition_whose_rules_were_all_checked_says_so() -> None:
    metadata = unchecked_metadata(pa.table({PAY_UNCHECKED: pa.array([None, None], pa.string())}))
    assert metadata == {"rows_with_rules_not_checked": 0}
