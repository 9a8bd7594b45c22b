"""Key rotation: the data key of every encrypted payload wrapped under a new master key.

The audit record comes first, then the wrapped keys are replaced, one file at a time; the payloads do not
change. A rotation that died is completed by the same command, which records nothing again. Meanwhile both
master keys are needed to read: the new one in `SHOWCOST_PAYLOAD_KEY`, the old one in
`SHOWCOST_PAYLOAD_KEY_OLD`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.core.errors import InputError
from showcost.deliveries.encryption import (
    KEY_VARIABLE,
    OLD_KEY_VARIABLE,
    key_id,
    master_key,
    old_master_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from showcost.workspace import Workspace


@dataclass(frozen=True)
class Rotation:
    """The outcome of a rotation: the id of the new key, and how many keys were replaced now and before.

    `recorded` is False if the audit log had the rotation already.
    """

    key_id: str
    replaced: int
    before: int
    recorded: bool


def rotate_key(
    home: Workspace, *, who: str, why: str, progress: Callable[[int, int], None] | None = None
) -> Rotation:
    """Wrap the data keys of all payloads under the new master key, after recording who did it and why.

    `progress` receives (wrapped keys done, all). Raises InputError if a key is not set, both are the same,
    or neither opens the key of a payload; the other payloads are done before it is raised.
    """
    new, old = master_key(), old_master_key()
    if new is None or old is None:
        raise InputError(f"set {KEY_VARIABLE} to the new master key and {OLD_KEY_VARIABLE} to the one before")
    if new == old:
        raise InputError(f"{KEY_VARIABLE} and {OLD_KEY_VARIABLE} are the same key")
    if not (who.strip() and why.strip()):
        raise InputError("--who and --why must not be empty: they are recorded in the audit log")
    payloads = home.payloads.with_keys()
    recorded = _record(home, key_id(old), key_id(new), who=who, why=why, payloads=len(payloads))
    replaced, problems = 0, []
    for number, payload in enumerate(payloads, start=1):
        try:
            replaced += home.payloads.rewrap(payload, old=old, new=new)
        except InputError as error:
            problems.append(error)
        if progress is not None:
            progress(number, len(payloads))
    if problems:
        raise InputError(f"{len(problems)} of {len(payloads)} keys were not replaced: {problems[0]}")
    return Rotation(key_id(new), replaced, len(payloads) - replaced, recorded)


def _record(home: Workspace, old: str, new: str, *, who: str, why: str, payloads: int) -> bool:
    """Record a rotation, unless the last one that is recorded leads from and to the same keys."""

    def is_recorded() -> bool:
        rotations = home.audit.kept(AuditKind.KEY_ROTATED)
        return bool(rotations) and (rotations[-1].facts["from"], rotations[-1].facts["to"]) == (old, new)

    recorded = home.audit.append_unless(
        is_recorded,
        AuditKind.KEY_ROTATED,
        {"from": old, "to": new, "who": who, "why": why, "payloads": payloads},
        subjects=[states.payload_key()],
    )
    return recorded is not None
