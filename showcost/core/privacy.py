"""Modes of what showcost writes: readable by its owner alone, or by the group of the folder, too.

A data folder has payroll, invoices and the names of people. Modes only ever get stricter than the umask of
the process; what is there already keeps its own.
"""

from __future__ import annotations

import os
from typing import Final

from showcost.core.errors import InputError

READERS_VARIABLE: Final = "SHOWCOST_READABLE_BY"
"""The environment variable that says who may read new files: `owner`, the default, or `group`."""

_UMASKS: Final = {"owner": 0o077, "group": 0o027}


def keep_private() -> None:
    """Restrict the files and folders that this process and its children make from now on.

    Raises InputError for a setting that is neither `owner` nor `group`.
    """
    setting = os.environ.get(READERS_VARIABLE, "").strip().lower() or "owner"
    if setting not in _UMASKS:
        raise InputError(f"{READERS_VARIABLE} must be owner or group, not {setting!r}")
    before = os.umask(_UMASKS[setting])
    os.umask(before | _UMASKS[setting])
