"""From occupation code to local: by the agreement's table, and never by guessing.

A code that the table does not have is not mapped, and a blank one is not given a default.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from showcost.pay.verdict import Verdict, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.agreements.model import Agreement, Local
    from showcost.pay.frame import Frame
    from showcost.pay.numbers import Bools, Ints
    from showcost.pay.terms import Terms


def owner_of(agreement: Agreement, code: str) -> Local | None:
    """Return the local to whose wage schedule an occupation code belongs; None when that is not known."""
    if not re.fullmatch(agreement.code_pattern, code, re.IGNORECASE):
        return None
    for local in agreement.locals:
        if code.casefold() in {known.casefold() for known in local.codes}:
            return local
        if any(code.casefold().startswith(prefix.casefold()) for prefix in local.prefixes):
            return local
    only = agreement.locals[0]
    return only if len(agreement.locals) == 1 and not (only.codes or only.prefixes) else None


def judge_local(terms: Terms, frame: Frame) -> Iterator[Verdict]:
    """Hold the local of each row against that of its occupation code (SC-MAP-002)."""
    agreement = terms.agreement
    locals_ = [local.local.casefold() for local in agreement.locals]
    stated = frame.local.numbers(locals_)
    owners = [owner_of(agreement, code) if code else None for code in frame.occupation.texts]
    by_code = [-1 if owner is None else locals_.index(owner.local.casefold()) for owner in owners]
    formed = [
        bool(re.fullmatch(agreement.code_pattern, code, re.IGNORECASE)) for code in frame.occupation.texts
    ]
    owner = np.array(by_code, np.int64)[frame.occupation.codes]
    unread = _one_of_unread(agreement, stated)
    given = ~frame.occupation.among([""])
    by_hand = given & (owner < 0) & unread & np.array(formed, np.bool_)[frame.occupation.codes]
    hard = given & ((stated < 0) | (owner != stated)) & ~by_hand
    yield Verdict(
        "SC-MAP-002",
        "occupation_code",
        hard,
        by_hand,
        given,
        lambda _: _words(agreement, owner, frame),
        (),
    )


def _one_of_unread(agreement: Agreement, stated: Ints) -> Bools:
    """Say which rows name a local whose codes were not read."""
    unread = [not (local.codes or local.prefixes) for local in agreement.locals]
    found: Bools = np.array([*unread, False], np.bool_)[stated]
    return found


def _words(agreement: Agreement, owner: Ints, frame: Frame) -> pa.Array:
    known = [
        f"local {local.local}, whose codes are {_codes_of(local)} ({local.source};"
        f" certainty {local.certainty})"
        for local in agreement.locals
    ]
    any_of = ", ".join(local.local for local in agreement.locals)
    texts = [f"{one}; no other local is taken for it" for one in known]
    texts.append(f"an occupation code of one of the locals {any_of} by {agreement.label}; none is guessed")
    stated = pa.array(
        [f"; the row says local {text}" if text else "; the row names no local" for text in frame.local.texts]
    )
    return told(pa.array(texts).take(pa.array(owner % len(texts))), stated.take(pa.array(frame.local.codes)))


def _codes_of(local: Local) -> str:
    if local.prefixes:
        return ", ".join(f"{prefix}…" for prefix in local.prefixes)
    return ", ".join(local.codes) or "not known"
