"""The errors that reach a person: one sentence, an exit status, never a traceback.

Bad *rows* are not errors; they are outcomes with a reason code (`showcost.core.reasons`). What is
raised here ends the command or the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path


class ShowcostError(Exception):
    """Base of all errors that showcost raises on purpose; its text is one clear sentence."""

    exit_status: ClassVar[int] = 2


class InputError(ShowcostError):
    """Wrong usage or input: a file, an option or a value that the user can put right."""


class ConfigError(InputError):
    """A configuration file that cannot be used.

    The sentence names the file, the key and what was expected there.
    """

    def __init__(self, file: Path | str, key: str, expected: str, found: object = None) -> None:
        """Build the sentence from its parts; `found` is shown when it is not None."""
        self.file, self.key, self.expected = str(file), key, expected
        where = f"{file}: {key}" if key else f"{file}"
        shown = "" if found is None else f", found {found!r}"
        super().__init__(f"{where}: expected {expected}{shown}")


class CheckFailedError(ShowcostError):
    """A check or verification did not hold."""

    exit_status: ClassVar[int] = 1


class StoreBusyError(ShowcostError):
    """Another process held the ledger or a store for longer than the bounded wait."""

    exit_status: ClassVar[int] = 1


class IntegrityError(CheckFailedError):
    """Stored bytes are not the bytes that were recorded: stop, never go on with them."""


class StorageError(ShowcostError):
    """The disk did not take what was to be written; nothing was acknowledged, the same command goes on."""

    exit_status: ClassVar[int] = 1


class FatalError(ShowcostError):
    """An fsync or a commit failed: nobody knows what is on the disk, and the process must end.

    `showcost.core.durable` raises it again at every later call, so that swallowing it gains nothing.
    """

    exit_status: ClassVar[int] = 1
