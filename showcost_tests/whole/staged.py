"""Staged rows that are not those of the program: rewritten and recorded, as a fault in it would."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from showcost.audit import transitions as states
from showcost.audit.log import FILES
from showcost.audit.transitions import AuditKind
from showcost.staging import PartitionRows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from showcost.workspace import Workspace


def rewrite(
    workspace: Workspace, feed: str, asset: str, key: str, change: Callable[[pa.Table], pa.Table]
) -> None:
    """Change the staged rows of a partition, and record them as validated."""
    store = workspace.staging
    rows = PartitionRows(key, change(store.read(asset, key)), store.existing(asset, key).inputs)
    store.write_together({asset: [rows]}, partial(record_rows, workspace, feed, key))


def record_rows(workspace: Workspace, feed: str, key: str, files: Mapping[str, Sequence[str]]) -> None:
    """Record files, by their sha256, as the validated rows of a partition."""
    workspace.audit.append(
        AuditKind.VALIDATED, {"feed": feed, FILES: files}, subjects=[states.partition(feed, key)]
    )
