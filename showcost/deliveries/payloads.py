"""Payload store: the bytes of deliveries, stored once by their sha256 before anything reads them.

With a key in SHOWCOST_PAYLOAD_KEY (see `encryption`) new payloads are stored encrypted, each under its own
data key, which lies wrapped beside it. Deleting the wrapped key shreds the payload: the audit log keeps its
name, the sha256 of the plain bytes, but nobody can read the bytes again. Changing the variable does not
change stored payloads; they stay plain or encrypted.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from showcost.core.durable import (
    fsync,
    fsync_folder,
    make_folder,
    rename,
    temporary_path,
    unlink,
    write,
    write_durably,
)
from showcost.core.errors import InputError, IntegrityError
from showcost.core.hashing import sha256_file
from showcost.core.locking import exclusive_lock
from showcost.deliveries.encryption import Cipher, has_preamble, plain_file, rewrapped_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import BinaryIO

_BLOCK = 1 << 20
_WAIT_SECONDS = 60
_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_KEY_SUFFIX = ".key"


@dataclass(frozen=True)
class Payload:
    """The stored bytes of a delivery; `size` in bytes, `new` when they were not stored before."""

    sha256: str
    size: int
    new: bool


class PayloadStore:
    """A folder of payloads named by their sha256; its files never change."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is created with the first payload."""
        self._folder = folder

    def path(self, sha256: str) -> Path:
        """Return the path of the payload with this hash, stored or not, plain or encrypted."""
        if not _SHA256.match(sha256):
            raise ValueError("a payload is named by 64 hex digits")
        return self._folder / sha256[:2] / sha256

    def put(self, source: Path) -> Payload:
        """Store the bytes of a file durably and return their name; see `put_stream`."""
        with source.open("rb") as reader:
            return self.put_stream(reader)

    def put_stream(self, reader: BinaryIO) -> Payload:
        """Store the bytes of `reader` durably and return their name.

        The bytes are hashed while they are copied, flushed to disk under a temporary name and then
        renamed, so that a crash at any instant leaves either nothing or the whole payload. The wrapped key
        of an encrypted payload is stored first, and no other process stores a payload in between. Raises
        StoreBusyError after a bounded wait for it.
        """
        make_folder(self._folder)
        cipher = Cipher.from_environment()
        aside = temporary_path(self._folder / "incoming")
        digest, size = hashlib.sha256(), 0
        try:
            with aside.open("xb") as writer:
                if cipher is not None:
                    write(writer, cipher.preamble, aside)
                block = reader.read(_BLOCK)
                while block:
                    following = reader.read(_BLOCK)
                    digest.update(block)
                    size += len(block)
                    sealed = cipher.seal(block, last=not following) if cipher is not None else block
                    write(writer, sealed, aside)
                    block = following
                fsync(writer.fileno(), aside)
            name = digest.hexdigest()
            target = self.path(name)
            # One writer at a time: a key must never lie beside a payload that another one encrypted.
            with self._publishing():
                if target.exists():
                    return Payload(name, size, new=False)
                make_folder(target.parent)
                if cipher is not None:
                    write_durably(self._key(name), cipher.wrapped_key(name))
                elif self._key(name).is_file():
                    # Of an encrypted payload that a crash kept from being stored.
                    unlink(self._key(name))
                aside.chmod(aside.stat().st_mode & 0o444)
                rename(aside, target)
                fsync_folder(target.parent)
        finally:
            aside.unlink(missing_ok=True)
        return Payload(name, size, new=True)

    @contextmanager
    def opened(self, sha256: str) -> Iterator[Path]:
        """Yield a path to the plain bytes of a payload, after checking their sha256.

        Raises IntegrityError when they are missing or differ, InputError when the payload was shredded or
        the master key is missing.
        """
        path = self._existing(sha256)
        if not self.is_encrypted(sha256):
            if (digest := sha256_file(path)) != sha256:
                raise _changed(sha256, digest)
            yield path
            return
        with plain_file(path, self._wrapped(sha256), sha256) as (plain, digest):
            if digest != sha256:
                raise _changed(sha256, digest)
            yield plain

    def verified(self, sha256: str) -> None:
        """Check a payload's bytes; raises as `opened` does."""
        with self.opened(sha256):
            pass

    def problem(self, sha256: str) -> str | None:
        """Return the error in a payload's bytes, or None."""
        try:
            self.verified(sha256)
        except (IntegrityError, InputError) as error:
            return str(error)
        return None

    def is_shredded(self, sha256: str) -> bool:
        """Return whether a payload is stored encrypted and its key was deleted."""
        stored = self.path(sha256).is_file()
        return stored and self.is_encrypted(sha256) and not self._key(sha256).is_file()

    def is_encrypted(self, sha256: str) -> bool:
        """Return whether a payload is stored encrypted; raises IntegrityError if it is missing.

        A sender can begin a file as an encrypted one begins: then the stored bytes are those of its name.
        """
        path = self._existing(sha256)
        return has_preamble(path) and (self._key(sha256).is_file() or sha256_file(path) != sha256)

    def require_encrypted(self, sha256: str) -> None:
        """Raise InputError for a payload that is stored plain: it cannot be shredded."""
        if not self.is_encrypted(sha256):
            raise InputError(f"the payload {sha256} is not encrypted; only encrypted ones can be shredded")

    def shred(self, sha256: str) -> None:
        """Delete the key of an encrypted payload for ever; raises as `require_encrypted` does."""
        self.require_encrypted(sha256)
        with self._publishing():
            unlink(self._key(sha256))
            fsync_folder(self._key(sha256).parent)

    def with_keys(self) -> list[str]:
        """Return the names of the payloads that have a wrapped key, sorted."""
        keys = (path.name.removesuffix(_KEY_SUFFIX) for path in self._folder.glob(f"??/*{_KEY_SUFFIX}"))
        return sorted(name for name in keys if _SHA256.match(name) and self.path(name).is_file())

    def rewrap(self, sha256: str, *, old: bytes, new: bytes) -> bool:
        """Wrap the data key of a payload under the master key `new`, at once and durably.

        Returns False if it was already, or if the payload was shredded meanwhile. Raises InputError if
        neither key opens it.
        """
        key = self._key(sha256)
        with self._publishing():
            if not key.is_file():
                return False
            wrapped = rewrapped_key(self.path(sha256), key.read_bytes(), sha256, old=old, new=new)
            if wrapped is None:
                return False
            write_durably(key, wrapped)
        return True

    def _publishing(self) -> AbstractContextManager[None]:
        path = self._folder.parent / "locks" / "payloads.lock"
        busy = f"{self._folder}: another process has been storing a payload for {_WAIT_SECONDS} s; try again"
        return exclusive_lock(path, busy, wait_seconds=_WAIT_SECONDS)

    def _existing(self, sha256: str) -> Path:
        path = self.path(sha256)
        if not path.is_file():
            raise IntegrityError(f"the payload {sha256} is registered but missing from {self._folder}")
        return path

    def _key(self, sha256: str) -> Path:
        path = self.path(sha256)
        return path.with_name(path.name + _KEY_SUFFIX)

    def _wrapped(self, sha256: str) -> bytes:
        try:
            return self._key(sha256).read_bytes()
        except FileNotFoundError:
            raise InputError(f"the payload {sha256} was shredded: its key is gone") from None


def _changed(sha256: str, digest: str) -> IntegrityError:
    return IntegrityError(f"the payload {sha256} has changed on disk: its bytes now hash to {digest}")
