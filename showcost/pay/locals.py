"""Occupation codes and their locals: by the agreement's table, and never by guessing.

A code outside the table is not mapped, and a blank one gets no default.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from showcost.pay.verdict import PayVerdict, concat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.agreements.model import Agreement, Local
    from showcost.pay.frame import Frame
    from showcost.pay.numbers import Bools, Ints
    from showcost.pay.terms import BoundAgreement


def owner_of(agreement: Agreement, code: str) -> Local | None:
    """Return the local to whose wage schedule an occupation code belongs; None when unknown."""
    if not re.fullmatch(agreement.code_pattern, code, re.IGNORECASE):
        return None
    for local in agreement.locals:
        if code.casefold() in {listed.casefold() for listed in local.codes}:
            return local
        if any(code.casefold().startswith(prefix.casefold()) for prefix in local.prefixes):
            return local
    only = agreement.locals[0]
    return only if len(agreement.locals) == 1 and not (only.codes or only.prefixes) else None


def check_local(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Check the local of each row against that of its occupation code (SC-MAP-002)."""
    agreement = terms.agreement
    locals_ = [local.local.casefold() for local in agreement.locals]
    stated = frame.local.numbers(locals_)
    owners = [owner_of(agreement, code) if code else None for code in frame.occupation.texts]
    by_code = [-1 if owner is None else locals_.index(owner.local.casefold()) for owner in owners]
    formed = [
        bool(re.fullmatch(agreement.code_pattern, code, re.IGNORECASE)) for code in frame.occupation.texts
    ]
    owner = np.array(by_code, np.int64)[frame.occupation.codes]
    unread = _names_unread_local(agreement, stated)
    given = ~frame.occupation.among([""])
    by_hand = given & (owner < 0) & unread & np.array(formed, np.bool_)[frame.occupation.codes]
    hard = given & ((stated < 0) | (owner != stated)) & ~by_hand
    yield PayVerdict(
        "SC-MAP-002",
        "occupation_code",
        hard,
        by_hand,
        given,
        lambda _: _words(agreement, owner, frame),
        (),
    )


def _names_unread_local(agreement: Agreement, stated: Ints) -> Bools:
    """Return which rows name a local whose codes were not read."""
    unread = [not (local.codes or local.prefixes) for local in agreement.locals]
    named: Bools = np.array([*unread, False], np.bool_)[stated]
    return named


def _words(agreement: Agreement, owner: Ints, frame: Frame) -> pa.Array:
    labels = [
        f"local {local.local}, whose codes are {_codes_of(local)} ({local.source};"
        f" certainty {local.certainty})"
        for local in agreement.locals
    ]
    any_of = ", ".join(local.local for local in agreement.locals)
    texts = [f"{label}; no other local is taken for it" for label in labels]
    texts.append(f"an occupation code of one of the locals {any_of} by {agreement.label}; none is guessed")
    stated = pa.array(
        [f"; the row says local {text}" if text else "; the row names no local" for text in frame.local.texts]
    )
    return concat(
        pa.array(texts).take(pa.array(owner % len(texts))), stated.take(pa.array(frame.local.codes))
    )


def _codes_of(local: Local) -> str:
    if local.prefixes:
        return ", ".join(f"{prefix}…" for prefix in local.prefixes)
    return ", ".join(local.codes) or "not known"
