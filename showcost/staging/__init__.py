"""Staging of rows between pipeline steps: Parquet per asset and partition, each with the hash of its bytes.

This package stores and verifies rows; the pipeline defines their content.
"""

from showcost.staging.index import StagedPartition
from showcost.staging.parts import ALL, PartitionRows, split_by_date
from showcost.staging.store import StagingStore

__all__ = ["ALL", "PartitionRows", "StagedPartition", "StagingStore", "split_by_date"]
