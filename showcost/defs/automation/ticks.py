"""Ticks that meet an error of the data folder: they end with one sentence, and the next one looks again."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import dagster as dg

from showcost.core.errors import ShowcostError, disk_sentence

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


def ends_with_a_sentence(tick: Callable[P, ResultT]) -> Callable[P, ResultT | dg.SkipReason]:
    """Let a tick say what it cannot use: a ledger that others hold, broken settings, a folder that is gone.

    As an error of the tick, Dagster would show a stack trace.
    """

    @wraps(tick)
    def saying(*args: P.args, **kwargs: P.kwargs) -> ResultT | dg.SkipReason:
        try:
            return tick(*args, **kwargs)
        except ShowcostError as error:
            return dg.SkipReason(f"nothing was done in this tick: {error}")
        except OSError as error:
            return dg.SkipReason(f"nothing was done in this tick: {disk_sentence(error)}")

    return saying
