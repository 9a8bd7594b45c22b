"""The laws of isolation: what a stranger throws at one feed or vendor costs that one alone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from showcost.checks.verify import verify
from showcost.config.feeds import choose_feed
from showcost.ingest.landing import landed
from showcost.reports.status import feed_status
from showcost.simulator.running import simulated
from showcost_tests.strangers.inbox import Thrower
from showcost_tests.strangers.vendor import Answers
from showcost_tests.vendor_api.hostile import serving
from showcost_tests.vendor_api.vendors import feed_of, feeds_of, scripts
from showcost_tests.vendor_api.whole import expected_of, outcome_of, post_week, pull_week
from showcost_tests.whole import small
from showcost_tests.whole.small import TUESDAY, WEEK, know_rates, make_home
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.simulator.running import Simulator
    from showcost.workspace import Workspace

VICTIM: Final = "vendor_invoices_us"
GOOD: Final = "vendor_invoices_de"
RETRIES: Final = {"attempts": 2, "first_wait_ms": 1, "longest_wait_ms": 5, "rest_ms": 1, "rests": 1}


def check_inbox(folder: Path, seed: int, *, rounds: int, thrown: int, verified: bool = True) -> None:
    """Throw entries at one feed's inbox in rounds, a good file for another feed in each.

    AssertionError unless every good file lands and is posted, and all that landed balances and,
    if `verified`, is as recorded.
    """
    workspace = make_home(folder / "home")
    thrower = Thrower(seed)
    victim = workspace.inbox / VICTIM
    victim.mkdir(parents=True)
    for number in range(rounds):
        for _ in range(thrown):
            thrower.throw(victim)
        invoice = small.Invoice(f"RE-{number}", "29.10.2026", "10,00", "1,90", "11,90")
        small.deliver(workspace, GOOD, f"{number}.csv", small.german([invoice]))
        # What the first attempt leaves must not stop the second.
        for _ in range(2):
            land_all(workspace)
            take(workspace, [small.THURSDAY], feeds={GOOD, VICTIM})
    good = choose_feed(workspace.feeds, GOOD)
    assert len(landed(workspace, good)) == rounds
    assert feed_status(workspace, good).total.posted == rounds
    for feed in workspace.feeds:
        assert feed_status(workspace, feed).total.balances
    assert not verified or verify(workspace, read_again=True).first is None


@contextmanager
def vendors(folder: Path) -> Iterator[tuple[Workspace, Simulator]]:
    """Yield a home and two vendors that behave."""
    workspace = make_home(folder / "home")
    know_rates(workspace, until=TUESDAY)
    with simulated(scripts(2, lines_per_day=3, page_size=8)) as simulator:
        yield workspace, simulator


def check_vendor(workspace: Workspace, simulator: Simulator, seed: int) -> None:
    """Pull from two vendors that behave and one that does not, twice, and post.

    AssertionError unless the two are complete, and all books balance.
    """
    good = scripts(2, lines_per_day=3, page_size=8)
    kinds = scripts(3)
    with serving(Answers(seed, tuple(WEEK))) as hostile:
        stranger = feed_of(kinds[seed % 3], hostile.url, retries=RETRIES)
        stranger = stranger.model_copy(update={"name": f"stranger_{seed}"})
        feeds: Sequence[FeedSpec] = [*feeds_of(simulator, good, retries=RETRIES), stranger]
        for _ in range(2):
            pull_week(workspace, feeds)
            post_week(workspace, feeds)
    for script, feed in zip(good, feeds, strict=False):
        assert outcome_of(workspace, feed) == expected_of(script)
    outcome_of(workspace, stranger)
