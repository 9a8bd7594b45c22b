"""Shredding: one delivery's bytes made unreadable for ever, the chain left whole.

The audit record comes first, then the key is deleted. A shredding that died in between is finished by the
same command and by the next landing. Copies of the text remain in the inbox and in staging: they are named,
and those of the inbox are removed if the person wishes it. Staged rows are what a later run posts from, and
the records of the audit log name their files: they stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind, State, SubjectType
from showcost.core.durable import fsync_folder, unlink
from showcost.core.errors import InputError
from showcost.core.hashing import sha256_file
from showcost.staging.assets import records_asset

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace


@dataclass(frozen=True)
class TextCopies:
    """Copies of a delivery's text: files in the inbox, and the assets of its staged records.

    The rows of the records are also in the valid and quarantined rows of their feed.
    """

    inbox: tuple[Path, ...]
    staged: tuple[str, ...]


def shred_payload(home: Workspace, delivery: str, *, who: str, why: str) -> bool:
    """Delete the key of an encrypted payload, after recording who did it and why.

    Entries, hashes and reasons stay, and so do the copies of `text_copies`. Returns False if it was shredded
    before. Raises InputError for a delivery that is not registered or not encrypted.
    """
    if delivery not in {arrival.delivery for arrival in home.register.arrivals()}:
        raise InputError(f"no delivery has the sha256 {delivery}")
    store = home.payloads
    store.require_encrypted(delivery)
    recorded = home.audit.append_unless(
        lambda: home.audit.state(states.delivery(delivery)) is State.SHREDDED,
        AuditKind.PAYLOAD_SHREDDED,
        {"delivery": delivery, "who": who, "why": why},
        subjects=[states.delivery(delivery)],
    )
    if recorded is None and store.is_shredded(delivery):
        return False
    store.shred(delivery)
    return True


def finish_shredding(home: Workspace) -> None:
    """Delete the keys of payloads that the audit log has as shredded; a crash may have left one."""
    for delivery in sorted(home.audit.names(SubjectType.DELIVERY, State.SHREDDED)):
        if home.payloads.path(delivery).is_file() and not home.payloads.is_shredded(delivery):
            home.payloads.shred(delivery)


def text_copies(home: Workspace, delivery: str) -> TextCopies:
    """Return the copies of a delivery's text that the data folder has beside its payload."""
    arrivals = [arrival for arrival in home.register.arrivals() if arrival.delivery == delivery]
    sizes = {arrival.size for arrival in arrivals}
    inbox = tuple(
        path
        for path in sorted(home.inbox.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and path.stat().st_size in sizes
        and sha256_file(path) == delivery
    )
    feeds = sorted({arrival.feed for arrival in arrivals})
    staged = tuple(records_asset(feed) for feed in feeds if _is_staged(home, feed, delivery))
    return TextCopies(inbox, staged)


def remove_from_inbox(copies: TextCopies) -> None:
    """Remove the copies in the inbox."""
    for path in copies.inbox:
        unlink(path)
        fsync_folder(path.parent)


def _is_staged(home: Workspace, feed: str, delivery: str) -> bool:
    return home.staging.metadata(records_asset(feed), delivery) is not None
