"""The ledger does not depend on the order, the portions or the repetition of the work."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from showcost_tests.whole import entries, small
from showcost_tests.whole.steps import counts, land_all, ledger_digest, take

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy

ONE_BY_ONE = [[day] for day in small.WEEK]


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(ONE_BY_ONE, id="day by day forwards", marks=pytest.mark.slow),
        pytest.param(ONE_BY_ONE[::-1], id="day by day backwards", marks=pytest.mark.slow),
        pytest.param([small.WEEK[3:], small.WEEK[:3]], id="the later half first", marks=pytest.mark.slow),
        pytest.param([small.WEEK[:5], small.WEEK[2:]], id="overlapping", marks=pytest.mark.slow),
    ],
)
def test_the_order_of_partitions_makes_no_difference(
    pieces: Sequence[Sequence[date]], landed_home: Workspace, posted_home: Workspace, copy: Copy
) -> None:
    workspace = copy(landed_home)
    for dates in pieces:
        take(workspace, dates)
    assert ledger_digest(workspace) == ledger_digest(posted_home)
    assert counts(workspace) == counts(posted_home)


@pytest.mark.parametrize(("validated", "posted"), [(1, 2), pytest.param(3, 1, marks=pytest.mark.slow)])
def test_the_size_of_chunks_makes_no_difference(
    validated: int, posted: int, landed_home: Workspace, posted_home: Workspace, copy: Copy
) -> None:
    workspace = copy(landed_home)
    take(workspace, small.WEEK, validated_at_once=validated, posted_at_once=posted)
    assert ledger_digest(workspace) == ledger_digest(posted_home)
    assert counts(workspace) == counts(posted_home)


def _identical(content: str) -> str:
    return content


def _other_line_ends(content: str) -> str:
    return content.replace("\r\n", "\n")


def _all_quoted(content: str) -> str:
    """Return the same cells, each in quotes, as another version of the sender's program writes them."""
    mark = "\ufeff" if content.startswith("\ufeff") else ""
    delimiter = ";" if mark else ","
    rows = list(csv.reader(io.StringIO(content.removeprefix(mark), newline=""), delimiter=delimiter))
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return mark + text.getvalue()


def _deliver_again(workspace: Workspace, change: Callable[[str], str]) -> None:
    for (feed, name), content in small.DELIVERIES.items():
        small.deliver(workspace, feed, f"again {name}", change(content))
    land_all(workspace)


def test_the_same_bytes_under_another_name_are_no_delivery(posted_home: Workspace, copy: Copy) -> None:
    workspace = copy(posted_home)
    _deliver_again(workspace, _identical)
    take(workspace, small.WEEK)
    assert ledger_digest(workspace) == ledger_digest(posted_home)
    assert counts(workspace) == counts(posted_home)


@pytest.mark.parametrize("change", [_all_quoted, pytest.param(_other_line_ends, marks=pytest.mark.slow)])
def test_a_second_export_of_everything_posts_nothing(
    change: Callable[[str], str], posted_home: Workspace, copy: Copy
) -> None:
    workspace = copy(posted_home)
    _deliver_again(workspace, change)
    take(workspace, small.WEEK)
    assert ledger_digest(workspace) == ledger_digest(posted_home)
    first, now = counts(posted_home), counts(workspace)
    assert now["received"] == 2 * first["received"]
    assert now["posted"] == first["posted"]
    # Posted and pending rows are duplicates the second time; rejected rows are rejected again.
    assert now["duplicate"] == 2 * first["duplicate"] + first["posted"] + first["pending"]
    assert (now["quarantined"], now["pending"]) == (2 * first["quarantined"], first["pending"])


@pytest.mark.slow
def test_a_second_export_that_comes_before_the_first_run_posts_nothing_twice(
    landed_home: Workspace, posted_home: Workspace, copy: Copy
) -> None:
    workspace = copy(landed_home)
    _deliver_again(workspace, _all_quoted)
    take(workspace, small.WEEK[3:])
    take(workspace, small.WEEK[:3])
    assert ledger_digest(workspace) == ledger_digest(posted_home)
    assert entries.count(workspace) == entries.count(posted_home)


def test_a_late_delivery_changes_only_the_partitions_that_it_touches(
    posted_home: Workspace, tmp_path: Path
) -> None:
    workspace = small.make_home(tmp_path / "late")
    late = ("vendor_invoices_de", "2 late.csv")
    for (feed, name), content in small.DELIVERIES.items():
        if (feed, name) != late:
            small.deliver(workspace, feed, name, content)
    land_all(workspace)
    take(workspace, small.WEEK)
    before = ledger_digest(workspace).partitions
    small.deliver(workspace, *late, small.DELIVERIES[late])
    land_all(workspace)
    take(workspace, [small.WEDNESDAY, small.THURSDAY, small.FRIDAY])
    after = ledger_digest(workspace).partitions
    assert {day for day in after if after[day] != before.get(day)} == {small.THURSDAY}
    assert counts(workspace) == counts(posted_home)
