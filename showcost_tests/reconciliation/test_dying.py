"""A replay that dies anywhere is finished by the run that is then due, or by itself, to the same books."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from showcost.checks.verify import verify
from showcost.pipeline import replay
from showcost.pipeline.due import due_by_landing
from showcost.pipeline.replay import replay as replay_rows
from showcost.reconciliation import decisions as deciding
from showcost.staging import StagingStore
from showcost.workspace import open_workspace
from showcost_tests.reconciliation.acts import WHO, WHY, correct_and_replay, entry_of, feed_of
from showcost_tests.whole import small
from showcost_tests.whole.steps import ledger_digest, take, totals

if TYPE_CHECKING:
    import pyarrow as pa

    from showcost.staging import StagedPartition
    from showcost.staging.parts import Inputs
    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy

WRITES = 6
"""The partitions that the replay writes: raw, valid and quarantine, where the row was and where it goes."""


class Killed(Exception):  # noqa: N818 -- a death, not an error
    """Stands for the end of the process."""


def _die_at(patch: pytest.MonkeyPatch, point: int) -> None:
    """Let the n-th write to the staging die; -1 is before anything is recorded, the last before posting."""
    if point < 0:
        patch.setattr(replay, "record_replayed", _die)
    elif point == WRITES:
        patch.setattr(replay, "post", _die)
    else:
        write, calls = StagingStore.write, []

        def dying(
            store: StagingStore, asset: str, partition: str, table: pa.Table, inputs: Inputs | None = None
        ) -> StagedPartition:
            calls.append(asset)
            if len(calls) > point:
                raise Killed
            return write(store, asset, partition, table, inputs)

        patch.setattr(StagingStore, "write", dying)


def _die(*_: object, **__: object) -> None:
    raise Killed


@pytest.fixture(scope="module")
def expected(posted_home: Workspace, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the digest after a replay that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole") / "home"
    shutil.copytree(posted_home.path, folder)
    workspace = open_workspace(folder)
    correct_and_replay(workspace, entry_of(workspace, "R5"), invoice_date="2026-10-28")
    return ledger_digest(workspace).hash


@pytest.mark.parametrize(
    "point", [*(pytest.param(n, marks=pytest.mark.slow) for n in range(-1, WRITES)), WRITES]
)
@pytest.mark.parametrize("by_itself", [True, False], ids=["replayed again", "run"])
def test_a_replay_that_dies_is_made_up_for(
    point: int, posted_home: Workspace, copy: Copy, expected: str, *, by_itself: bool
) -> None:
    workspace = copy(posted_home)
    row = entry_of(workspace, "R5")
    decided = deciding.correct(workspace, [row], {"invoice_date": "2026-10-28"}, who=WHO, why=WHY)
    with pytest.MonkeyPatch.context() as patch:
        _die_at(patch, point)
        with pytest.raises(Killed):
            replay_rows(workspace, decided.places)
    assert {small.WEDNESDAY, small.FRIDAY} <= set(due_by_landing(workspace, feed_of()).dates)
    if by_itself:
        replay_rows(workspace, decided.places)
    else:
        take(workspace, small.WEEK)
    assert ledger_digest(workspace).hash == expected
    assert verify(workspace).first is None
    assert totals(workspace).balances
