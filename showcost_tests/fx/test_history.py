"""Two files of the same source are merged day by day, and must not contradict each other."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from showcost.core.errors import IntegrityError
from showcost.fx.history import merge_histories

if TYPE_CHECKING:
    from collections.abc import Callable

    from showcost.fx.history import RateHistory

    Reader = Callable[[str], RateHistory]


def test_days_that_only_the_other_file_has_are_added_with_their_own_origin(
    week: RateHistory, read: Reader
) -> None:
    newer = read("Date,USD,GBP,\n2026-11-02,1.12,0.831,\n2026-10-30,1.117200,0.8338,\n")
    merged = merge_histories(week, newer)
    assert merged.last == date(2026, 11, 2)
    assert merged.rates.num_rows == week.rates.num_rows + 2
    origins = {row["date"]: row["source_sha256"] for row in merged.publications.to_pylist()}
    assert origins[date(2026, 11, 2)] == newer.files[0][1]
    assert origins[date(2026, 10, 30)] == week.files[0][1]
    assert set(merged.files) == {*week.files, *newer.files}


def test_merging_with_itself_changes_nothing(week: RateHistory) -> None:
    merged = merge_histories(week, week)
    assert merged.rates.equals(week.rates)
    assert merged.publications.equals(week.publications)


def test_a_day_in_the_middle_is_filled_in(week: RateHistory, read: Reader) -> None:
    with_gap = read("Date,USD,\n2026-10-30,1.1172,\n2026-10-28,1.1190,\n")
    missing_day = read("Date,USD,\n2026-10-29,1.1180,\n")
    assert merge_histories(with_gap, missing_day).dates == week.dates[2:]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("Date,USD,\n2026-10-30,1.1173,\n", "USD of 2026-10-30: 1.1172 in test .*, 1.1173 in test"),
        ("Date,USD,GBP,\n2026-10-30,1.1172,N/A,\n", "GBP of 2026-10-30: 0.8338 in test .*, no rate in test"),
        ("Date,USD,ISK,\n2026-10-30,1.1172,141,\n", "ISK of 2026-10-30: no rate in test .*, 141 in test"),
        ("Date,USD,CAD,\n2026-10-30,1.1172,1.56,\n", "CAD of 2026-10-30: no rate in test .*, 1.56 in test"),
    ],
    ids=["another rate", "a rate withdrawn", "a rate added", "a currency added"],
)
def test_files_that_disagree_on_a_published_day_are_refused(
    other: str, message: str, week: RateHistory, read: Reader
) -> None:
    with pytest.raises(IntegrityError, match=f"disagree on 1 published rate.*{message}"):
        merge_histories(week, read(other))


def test_the_message_counts_disagreements_and_names_the_first(week: RateHistory, read: Reader) -> None:
    other = read("Date,USD,GBP,\n2026-10-30,1.2,0.9,\n2026-10-29,1.2,0.834,\n")
    with pytest.raises(IntegrityError, match=r"on 3 published rate\(s\), first USD of 2026-10-29"):
        merge_histories(week, other)


def test_a_file_without_a_currency_does_not_contradict(week: RateHistory, read: Reader) -> None:
    assert merge_histories(week, read("Date,USD,\n2026-10-30,1.1172,\n")).rates.equals(week.rates)


def test_a_part_of_the_history_includes_both_ends(week: RateHistory) -> None:
    part = week.between(date(2026, 10, 27), date(2026, 10, 29))
    assert part.dates == week.dates[1:4]
    assert part.rates.num_rows == 8
