"""Errors shown to the user: one sentence, an exit status, never a traceback.

They end the command or the step. Bad *rows* are not errors but outcomes with a reason code
(`showcost.core.reason_catalogue`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path


class ShowcostError(Exception):
    """Base of all errors that showcost raises on purpose; its text is one clear sentence."""

    exit_status: ClassVar[int] = 2


class InputError(ShowcostError):
    """Wrong usage or input: a file, an option or a value that the user can correct."""


class ConfigError(InputError):
    """A configuration file that cannot be used.

    The sentence names the file, the key and the expected value.
    """

    def __init__(self, file: Path | str, key: str, expected: str, found: object = None) -> None:
        """Build the sentence from its parts; `found` is shown when it is not None."""
        self.file, self.key, self.expected = str(file), key, expected
        where = f"{file}: {key}" if key else f"{file}"
        shown = "" if found is None else f", found {found!r}"
        super().__init__(f"{where}: expected {expected}{shown}")


class CheckFailedError(ShowcostError):
    """A check or verification failed."""

    exit_status: ClassVar[int] = 1


class DeclinedError(ShowcostError):
    """The user answered no to a question, or not at all."""

    exit_status: ClassVar[int] = 1


class StoreBusyError(ShowcostError):
    """Another process locked the ledger or a store for longer than the bounded wait."""

    exit_status: ClassVar[int] = 1


class IntegrityError(CheckFailedError):
    """Stored bytes differ from the recorded bytes and must not be used."""


class StorageError(ShowcostError):
    """A write failed before anything was acknowledged; running the command again continues."""

    exit_status: ClassVar[int] = 1


def disk_sentence(error: OSError) -> str:
    """Return an error of the operating system, such as a full disk or a denied file, in one sentence."""
    place = error.filename if isinstance(error.filename, str) else "a file of the data folder"
    return (
        f"{place}: {error.strerror or error}; committed work is kept: check the disk and who may write there,"
        " then run the same command again"
    )


class FatalError(ShowcostError):
    """An fsync or a commit failed: the state of the disk is unknown, and the process must end.

    `showcost.core.durable` raises it again at every later call, so catching it does not help.
    """

    exit_status: ClassVar[int] = 1
