"""Rows between the stages: Parquet per asset and partition, each with the hash of its bytes.

What the rows mean is decided by the stages; this package only keeps them whole and proves it.
"""

from showcost.staging.parts import ALL, PartitionRows, split_by_date
from showcost.staging.store import StagedPartition, StagingStore

__all__ = ["ALL", "PartitionRows", "StagedPartition", "StagingStore", "split_by_date"]
