"""The work of a fixed production, in counts that depend on neither clock nor machine."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from showcost.core.durable import System, using
from showcost.ledger.store import Ledger
from showcost_tests.whole import small
from showcost_tests.whole.steps import counts, land_all, take

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    import duckdb
    import pytest

    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy

FIRST = {
    "bytes": 770_000,
    "files": 18,
    "rows encoded": 248,
    "fsyncs": 248,
    "renames": 95,
    "commits": 4,
    "openings of the ledger": 40,
}
"""What landing and running the week of 25 rows takes today; bytes with some room for times and paths."""
AGAIN = {
    "bytes": 37_000,
    "files": 3,
    "rows encoded": 23,
    "fsyncs": 20,
    "renames": 7,
    "commits": 1,
    "openings of the ledger": 34,
}
"""The same for a second time, with nothing new."""


@dataclass
class Counting(System):
    """Counts the calls that change the disk, their bytes, and the rows of Parquet files."""

    work: Counter[str] = field(default_factory=Counter)

    def write(self, stream: BinaryIO, data: bytes, path: Path) -> None:
        self.work["bytes"] += len(data)
        super().write(stream, data, path)

    def produce(self, make: Callable[[Path], object], path: Path) -> None:
        super().produce(make, path)
        self.work["files"] += 1
        self.work["bytes"] += path.stat().st_size
        with path.open("rb") as stream:
            is_parquet = stream.read(4) == b"PAR1"
        self.work["rows encoded"] += pq.read_metadata(path).num_rows if is_parquet else 0

    def fsync(self, descriptor: int, path: Path) -> None:
        self.work["fsyncs"] += 1
        super().fsync(descriptor, path)

    def rename(self, source: Path, target: Path) -> None:
        self.work["renames"] += 1
        super().rename(source, target)

    def commit(self, commit: Callable[[], object], path: Path) -> None:
        self.work["commits"] += 1
        super().commit(commit, path)


def _count_openings(patch: pytest.MonkeyPatch, system: Counting) -> None:
    original = Ledger._open

    def counted(ledger: Ledger, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        system.work["openings of the ledger"] += 1
        return original(ledger, read_only=read_only)

    patch.setattr(Ledger, "_open", counted)


def _work(workspace: Workspace, patch: pytest.MonkeyPatch) -> dict[str, int]:
    """Return the work of landing and running the week."""
    system = Counting()
    with patch.context() as within, using(system):
        _count_openings(within, system)
        land_all(workspace)
        take(workspace, small.WEEK)
    return dict(system.work)


def _beyond(work: dict[str, int], limits: dict[str, int]) -> dict[str, int]:
    return {name: amount for name, amount in work.items() if amount > limits[name]}


def test_a_week_takes_no_more_work_than_its_rows_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that writes, syncs or opens more says so here; one that does less lowers the limits."""
    workspace = small.make_home(tmp_path / "home")
    small.fill(workspace)
    work = _work(workspace, monkeypatch)
    assert counts(workspace)["received"] == 25
    assert _beyond(work, FIRST) == {}
    assert work.keys() == FIRST.keys()


def test_the_same_week_again_takes_little(
    posted_home: Workspace, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _beyond(_work(copy(posted_home), monkeypatch), AGAIN) == {}
