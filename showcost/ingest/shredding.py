"""Shredding: one delivery's bytes made unreadable for ever, the chain left whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.core.errors import InputError

if TYPE_CHECKING:
    from showcost.workspace import Workspace


def shred_payload(home: Workspace, delivery: str, *, who: str, why: str) -> None:
    """Delete the key of an encrypted payload, after recording who did it and why.

    Entries, hashes and reasons stay, and so do the staged rows of the delivery. Raises InputError for a
    delivery that is not registered, is not encrypted, or is shredded already.
    """
    if delivery not in {arrival.delivery for arrival in home.register.arrivals()}:
        raise InputError(f"no delivery has the sha256 {delivery}")
    store = home.payloads
    if store.is_shredded(delivery):
        raise InputError(f"the payload {delivery} was shredded before")
    store.require_encrypted(delivery)
    home.audit.append(
        AuditKind.PAYLOAD_SHREDDED,
        {"delivery": delivery, "who": who, "why": why},
        subjects=[states.delivery(delivery)],
    )
    store.shred(delivery)
