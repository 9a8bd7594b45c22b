"""Rows between the stages: Parquet per asset and partition, each with the hash of its bytes.

What the rows mean is decided by the stages; this package only keeps them whole and proves it.
"""

from showcost.staging.parts import ALL, Part, split_by_date
from showcost.staging.store import Staged, StagingStore

__all__ = ["ALL", "Part", "Staged", "StagingStore", "split_by_date"]
