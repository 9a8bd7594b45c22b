"""Output that a person names: written aside, put in place whole, and left alone when it is there already.

The same command again, after a kill or at the same time, finds its own output and is done; other content at
the place is never overwritten.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from showcost.core.durable import TEMPORARY_SUFFIX, fsync_folder, make_folder, rename, temporary_path
from showcost.core.errors import InputError
from showcost.core.hashing import sha256_bytes, sha256_file
from showcost.core.locking import exclusive_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = TypeVar("Result")

_WAIT_SECONDS: Final = 600


def write_once(place: Path, make: Callable[[Path], Result], refusal: str) -> tuple[Result, bool]:
    """Let `make` write a file or a folder, and put it at `place`; return its result, and if it was there.

    Raises InputError with the text `refusal` for other content at `place`, StoreBusyError if another process
    is writing it for too long.
    """
    place = place.absolute()
    with only_writer(place):
        aside = temporary_path(place)
        try:
            made = make(aside)
            if is_filled(place):
                if contents(aside) != contents(place):
                    raise InputError(refusal)
                return made, True
            rename(aside, place)
            fsync_folder(place.parent)
            return made, False
        finally:
            _remove(aside)


@contextmanager
def only_writer(place: Path) -> Iterator[None]:
    """Keep other processes of this user from writing a file or folder; remove what died beside it.

    The lock file is in the folder for temporary files: beside the place it would stay behind.
    """
    make_folder(place.parent)
    name = f"showcost-{os.getuid()}-{sha256_bytes(os.fsencode(place.resolve()))[:32]}.lock"
    busy = f"another process has been writing {place} for more than {_WAIT_SECONDS:g} s; try again"
    with exclusive_lock(Path(tempfile.gettempdir(), name), busy, wait_seconds=_WAIT_SECONDS):
        for debris in place.parent.glob(f"{place.name}.*{TEMPORARY_SUFFIX}"):
            _remove(debris)
        yield


def is_filled(place: Path) -> bool:
    """Tell whether there is a file, or a folder with anything in it."""
    return place.exists() and (not place.is_dir() or any(place.iterdir()))


def contents(place: Path) -> dict[str, str]:
    """Return the sha256 of a file, or of each file of a folder by its path."""
    if not place.is_dir():
        return {"": sha256_file(place)}
    files = (path for path in place.rglob("*") if not path.is_dir())
    return {path.relative_to(place).as_posix(): sha256_file(path) for path in files}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
