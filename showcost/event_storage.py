"""Dagster's SQLite event log, with one connection per database and one transaction per batch of events.

`dagster.yaml` names this class. The tables and files are those of `SqliteEventLogStorage`, so either class
opens what the other wrote. As shipped, Dagster opens a database anew for each statement, syncs each commit to
the disk, and stores the events of a batch one by one.

Nothing in the ledger depends on events. A loss of power may lose the last of them, since a commit is not
synced; it cannot damage the database (decision 26).
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg
import sqlalchemy as db

# Private modules of Dagster: the storage has no public import (decision 26). The version is pinned.
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy.pool import NullPool, StaticPool

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, MutableMapping, Sequence

    from dagster._core.events.log import EventLogEntry
    from dagster._serdes import ConfigurableClassData
    from sqlalchemy.engine import Connection, Engine

BATCH_VARIABLE: Final = "DAGSTER_EVENT_BATCH_SIZE"
"""Dagster forms batches of at most this many events; without it, it stores each event by itself."""

BATCH_EVENTS: Final = 200

WITHOUT_ROWS: Final = "dates_without_rows"
"""Metadata of an evaluation that stands for all dates of its run that have none of their own."""

_FOLDER: Final = ("history", "runs")
_MOST_OPEN: Final = 16


@dataclass(frozen=True)
class _Opened:
    """An open database, and the identity of its file (device and inode)."""

    engine: Engine
    file: tuple[int, int] | None


class BatchedSqliteEventLogStorage(SqliteEventLogStorage):
    """Event log in SQLite, a database per run and an index of all; `base_dir` is the folder of the files.

    Without `base_dir`, it is where Dagster keeps its event log, below the folder of `dagster.yaml`.
    """

    def __init__(self, base_dir: str = "", inst_data: ConfigurableClassData | None = None) -> None:
        os.environ.setdefault(BATCH_VARIABLE, str(BATCH_EVENTS))
        # Re-entrant: the statements of a batch join the transaction around them.
        self._lock = threading.RLock()
        self._opened: OrderedDict[str, _Opened] = OrderedDict()
        self._transactions: dict[str, Connection] = {}
        self._known: set[str] = set()
        self._inst_data = inst_data
        self._instance_weakref = None
        weakref.finalize(self, _close, self._opened)
        if base_dir:
            super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, dg.Field]:
        """Return the settings of the class in `dagster.yaml`."""
        return {"base_dir": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, object]
    ) -> BatchedSqliteEventLogStorage:
        """Return the storage that `dagster.yaml` describes."""
        return cls(str(config_value.get("base_dir") or ""), inst_data)

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Open the storage in the folder of the instance, unless another folder was named."""
        if not hasattr(self, "_base_dir"):
            super().__init__(str(Path(instance.root_directory, *_FOLDER)), self._inst_data)
        super().register_instance(instance)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event; its row of the run and its rows of the index are a transaction each."""
        with self.transaction(event.run_id):
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of a run in one transaction per database; all of them or none."""
        if not events:
            return
        with self.transaction(events[0].run_id):
            for event in events:
                super().store_event(event)

    @contextmanager
    def transaction(self, run_id: str) -> Iterator[None]:
        """Take all statements of the block on a run's events into one transaction per database."""
        with self.run_connection(run_id), self.index_connection():
            yield

    def store_asset_check_event(self, event: EventLogEntry, event_id: int | None) -> None:
        """Store the outcome of a check, of one date or, if it says so, of all dates that have none yet."""
        super().store_asset_check_event(event, event_id)
        evaluation = event.dagster_event.event_specific_data if event.dagster_event else None
        if isinstance(evaluation, dg.AssetCheckEvaluation) and WITHOUT_ROWS in evaluation.metadata:
            self._settle_planned(event, evaluation, event_id)

    def _settle_planned(
        self, event: EventLogEntry, evaluation: dg.AssetCheckEvaluation, event_id: int | None
    ) -> None:
        """Give the dates of a run that a check has not evaluated this evaluation, and their materialisations.

        Dagster plans a check for each date of a run, and shows a date without outcome as skipped.
        """
        checks, events = AssetCheckExecutionsTable, SqlEventLogStorageTable
        materialized = (
            db.select(db.func.max(events.c.id))
            .where(
                events.c.asset_key == evaluation.asset_key.to_string(),
                events.c.partition == checks.c.partition,
                events.c.dagster_event_type == dg.DagsterEventType.ASSET_MATERIALIZATION.value,
            )
            .scalar_subquery()
        )
        outcome = Status.SUCCEEDED if evaluation.passed else Status.FAILED
        with self.index_connection() as connection:
            connection.execute(
                checks.update()
                .where(
                    checks.c.asset_key == evaluation.asset_key.to_string(),
                    checks.c.check_name == evaluation.check_name,
                    checks.c.run_id == event.run_id,
                    checks.c.partition.isnot(None),
                    checks.c.execution_status == Status.PLANNED.value,
                )
                .values(
                    execution_status=outcome.value,
                    evaluation_event=dg.serialize_value(event),
                    evaluation_event_timestamp=datetime.fromtimestamp(event.timestamp, UTC).replace(
                        tzinfo=None
                    ),
                    evaluation_event_storage_id=event_id,
                    materialization_event_storage_id=materialized,
                )
            )

    def wipe(self) -> None:
        """Delete all events; open databases are closed, as their files are removed."""
        with self._lock:
            _close(self._opened)
        super().wipe()

    def dispose(self) -> None:
        """Close all databases; a later statement opens them again."""
        super().dispose()
        with self._lock:
            _close(self._opened)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._lock:
            if (around := self._transactions.get(shard)) is not None:
                yield around
                return
            with self._engine(shard).connect() as connection, connection.begin():
                self._transactions[shard] = connection
                try:
                    yield connection
                finally:
                    del self._transactions[shard]

    def _engine(self, shard: str) -> Engine:
        """Return the engine of a database, opened if it is not, or if its file is another one by now."""
        path = Path(self.path_for_shard(shard))
        opened = self._opened.get(shard)
        if opened is not None and opened.file == _identity(path):
            self._opened.move_to_end(shard)
            return opened.engine
        if opened is not None:
            self._opened.pop(shard).engine.dispose()
            self._initialized_dbs.discard(shard)
            self._known.clear()
        address = self.conn_string_for_shard(shard)
        if shard not in self._initialized_dbs:
            passing = db.create_engine(address, poolclass=NullPool, connect_args=_CONNECT)
            self._initdb(passing, for_index_shard=shard == INDEX_SHARD_NAME)
            passing.dispose()
            self._initialized_dbs.add(shard)
        engine = db.create_engine(
            address, poolclass=StaticPool, connect_args=_CONNECT | {"check_same_thread": False}
        )
        db.event.listen(engine, "connect", _without_sync)
        self._opened[shard] = _Opened(engine, _identity(path))
        for name in [*self._opened][: max(0, len(self._opened) - _MOST_OPEN)]:
            if name not in self._transactions:
                self._opened.pop(name).engine.dispose()
        return engine

    def has_table(self, table_name: str) -> bool:
        """Return whether a table exists; Dagster asks for each event, and tables are never dropped."""
        if table_name not in self._known:
            if not super().has_table(table_name):
                return False
            self._known.add(table_name)
        return True

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        """Return whether the table of assets has a column; Dagster asks for each event."""
        column = f"{AssetKeyTable.name}.{column_name}"
        if column not in self._known:
            if not super()._has_asset_key_col_on_connection(conn, column_name):
                return False
            self._known.add(column)
        return True


_CONNECT: Final = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}


def _without_sync(connection: sqlite3.Connection, _record: object) -> None:
    """Do not sync each commit: after a loss of power the database is whole, without the last of them."""
    connection.execute("PRAGMA synchronous = NORMAL")


def _close(opened: MutableMapping[str, _Opened]) -> None:
    while opened:
        opened.popitem()[1].engine.dispose()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
