"""Deliveries as they arrived: bytes stored once by their sha256, before anything reads them."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from showcost.core.durable import aside_name, fsync_folder, make_folder
from showcost.core.errors import IntegrityError
from showcost.core.hashing import sha256_file

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 1 << 20
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True)
class Payload:
    """The stored bytes of a delivery; `size` in bytes, `new` when they were not there before."""

    sha256: str
    size: int
    new: bool


class PayloadStore:
    """A folder of payloads named by their sha256; what is in it never changes."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is made when the first payload arrives."""
        self._folder = folder

    def path(self, sha256: str) -> Path:
        """Return where the payload with this hash lies, stored or not."""
        if not _SHA256.match(sha256):
            raise ValueError("a payload is named by 64 hex digits")
        return self._folder / sha256[:2] / sha256

    def put(self, source: Path) -> Payload:
        """Store the bytes of `source` durably and return their name.

        The bytes are hashed while they are copied, flushed to disk under a temporary name and then
        renamed, so that a crash at any instant leaves either nothing or the whole payload.
        """
        make_folder(self._folder)
        aside = aside_name(self._folder / "incoming")
        digest, size = hashlib.sha256(), 0
        try:
            with source.open("rb") as reader, aside.open("xb") as writer:
                while block := reader.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
                    writer.write(block)
                writer.flush()
                os.fsync(writer.fileno())
            name = digest.hexdigest()
            target = self.path(name)
            if target.exists():
                return Payload(name, size, new=False)
            make_folder(target.parent)
            aside.chmod(0o444)
            aside.rename(target)
            fsync_folder(target.parent)
        finally:
            aside.unlink(missing_ok=True)
        return Payload(name, size, new=True)

    def verified(self, sha256: str) -> Path:
        """Return the path of a payload after checking its bytes; IntegrityError when they differ."""
        path = self.path(sha256)
        if not path.is_file():
            raise IntegrityError(f"the payload {sha256} is registered but missing from {self._folder}")
        found = sha256_file(path)
        if found != sha256:
            raise IntegrityError(f"the payload {sha256} has changed on disk: its bytes now hash to {found}")
        return path
