"""Encryption at rest: AES-256-GCM in blocks, a data key per payload, wrapped under a master key.

An encrypted file is MAGIC, an 8-byte random prefix, then blocks of up to 1 MiB of plain bytes, each followed
by its 16-byte tag. The nonce of a block is the prefix, the block number (3 bytes) and a last byte that is 1
for the last block only: blocks cannot be reordered, and a file cannot be truncated. The data key is wrapped
(RFC 3394) under a key derived from the master key and the payload's sha256, so that a wrapped key opens no
other payload.

MAGIC names the format version. Version 2 derives the wrapping key with HKDF-SHA256 (RFC 5869). Version 1
used one SHA-256 of master key and payload hash; it is still read and never written. `payloads` stores the
files.
"""

from __future__ import annotations

import binascii
import hashlib
import os
import secrets
from base64 import b64decode
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Final

from showcost.core.errors import InputError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

KEY_VARIABLE: Final = "SHOWCOST_PAYLOAD_KEY"
"""The environment variable with the master key: 32 bytes in base64."""

OLD_KEY_VARIABLE: Final = "SHOWCOST_PAYLOAD_KEY_OLD"
"""The environment variable with the master key before, while a rotation is under way; it only reads."""

MAGIC: Final = b"showcost-payload-2\n"
_MAGIC_1: Final = b"showcost-payload-1\n"
BLOCK: Final = 1 << 20
_PREFIX, _TAG, _KEY_BYTES = 8, 16, 32


class Cipher:
    """Encrypts one payload, block by block, in order."""

    def __init__(self, master: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 -- the package is optional

        self._master, self._key = master, secrets.token_bytes(_KEY_BYTES)
        self._prefix, self._number = secrets.token_bytes(_PREFIX), 0
        self._aead = AESGCM(self._key)

    @classmethod
    def from_environment(cls) -> Cipher | None:
        """Return a cipher with a fresh key, or None when the environment asks for no encryption."""
        master = master_key()
        return None if master is None else cls(master)

    @property
    def preamble(self) -> bytes:
        """Header of the encrypted file: format version and nonce prefix."""
        return MAGIC + self._prefix

    def seal(self, block: bytes, *, last: bool) -> bytes:
        """Return the next block, encrypted."""
        nonce = _nonce(self._prefix, self._number, last=last)
        self._number += 1
        return self._aead.encrypt(nonce, block, None)

    def wrapped_key(self, sha256: str) -> bytes:
        """Return the data key, wrapped for storage; `sha256` is the hash of the plain bytes."""
        return _wrapped(_wrapping_key(self._master, sha256), self._key)


def master_key() -> bytes | None:
    """Return the master key from the environment, or None; InputError when it is malformed."""
    return _key_in(KEY_VARIABLE)


def old_master_key() -> bytes | None:
    """Return the master key before the rotation, or None; InputError when it is malformed."""
    return _key_in(OLD_KEY_VARIABLE)


def key_id(master: bytes) -> str:
    """Return an identifier of a master key for the audit log, from which the key does not follow."""
    return _derived(master, b"showcost-payload-key-id\n").hex()[:_KEY_BYTES]


def _key_in(variable: str) -> bytes | None:
    text = os.environ.get(variable)
    if not text:
        return None
    try:
        key = b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise InputError(f"{variable} must be {_KEY_BYTES} bytes in base64")
    return key


def has_preamble(path: Path) -> bool:
    """Return whether a file begins as an encrypted payload does."""
    return _magic(path) in {MAGIC, _MAGIC_1}


@contextmanager
def plain_file(path: Path, wrapped: bytes, sha256: str) -> Iterator[tuple[Path, str]]:
    """Yield a path to the plain bytes of an encrypted payload, and their sha256.

    The plain bytes are in memory on Linux, elsewhere in a temporary file that only the user can read.
    Raises InputError without the right master key, IntegrityError for altered bytes.
    """
    key = _unwrapped(path, wrapped, sha256)
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("payload", os.MFD_CLOEXEC)
        with os.fdopen(descriptor, "wb") as target:
            digest = _decrypt(path, key, target)
            yield Path(f"/proc/self/fd/{descriptor}"), digest
        return
    with NamedTemporaryFile() as target:
        digest = _decrypt(path, key, target)
        yield Path(target.name), digest


def rewrapped_key(path: Path, wrapped: bytes, sha256: str, *, old: bytes, new: bytes) -> bytes | None:
    """Return the data key of a payload, wrapped under the master key `new`; None if it is already.

    Raises InputError if neither key opens it.
    """
    if _opened(path, wrapped, sha256, new) is not None:
        return None
    key = _opened(path, wrapped, sha256, old)
    if key is None:
        raise InputError(
            f"the key of the payload {sha256} opens with neither {KEY_VARIABLE} nor {OLD_KEY_VARIABLE}: wrong"
            " or altered key"
        )
    return _wrapped(_wrapping_key_of(path)(new, sha256), key)


def _wrapped(wrapping_key: bytes, key: bytes) -> bytes:
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap  # noqa: PLC0415 -- the package is optional

    return aes_key_wrap(wrapping_key, key)


def _unwrapped(path: Path, wrapped: bytes, sha256: str) -> bytes:
    masters = [key for key in (master_key(), old_master_key()) if key is not None]
    if not masters:
        raise InputError(f"the payload {sha256} is encrypted; {KEY_VARIABLE} is not set")
    for master in masters:
        if (key := _opened(path, wrapped, sha256, master)) is not None:
            return key
    raise InputError(
        f"the key of the payload {sha256} does not open with {KEY_VARIABLE}: wrong or altered key"
    )


def _opened(path: Path, wrapped: bytes, sha256: str, master: bytes) -> bytes | None:
    """Return the data key of a payload; None if it does not open with a master key."""
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap  # noqa: PLC0415 -- the package is optional

    try:
        return aes_key_unwrap(_wrapping_key_of(path)(master, sha256), wrapped)
    except (InvalidUnwrap, ValueError):
        return None


def _wrapping_key_of(path: Path) -> Callable[[bytes, str], bytes]:
    """Return the derivation of the wrapping key in the format version of a payload."""
    return _wrapping_key_1 if _magic(path) == _MAGIC_1 else _wrapping_key


def _decrypt(path: Path, key: bytes, target: IO[bytes]) -> str:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 -- the package is optional
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 -- the package is optional

    aead, digest = AESGCM(key), hashlib.sha256()
    with path.open("rb") as stream:
        stream.seek(len(MAGIC))
        prefix, number = stream.read(_PREFIX), 0
        block = stream.read(BLOCK + _TAG)
        while block:
            following = stream.read(BLOCK + _TAG)
            try:
                plain = aead.decrypt(_nonce(prefix, number, last=not following), block, None)
            except InvalidTag:
                raise IntegrityError(
                    f"{path}: block {number + 1} of this encrypted payload was altered"
                ) from None
            digest.update(plain)
            target.write(plain)
            block, number = following, number + 1
    target.flush()
    return digest.hexdigest()


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(3, "big") + bytes([last])


def _magic(path: Path) -> bytes:
    """Return the first bytes of a payload, as many as name the format version."""
    with path.open("rb") as stream:
        return stream.read(len(MAGIC))


def _wrapping_key(master: bytes, sha256: str) -> bytes:
    """Return the key that wraps the data key of one payload."""
    return _derived(master, MAGIC + bytes.fromhex(sha256))


def _derived(master: bytes, info: bytes) -> bytes:
    """Return a key that is derived from the master key for one use."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 -- the package is optional
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 -- the package is optional

    # No salt: the master key is uniformly random already (RFC 5869, section 3.1).
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(master)


def _wrapping_key_1(master: bytes, sha256: str) -> bytes:
    """Return the wrapping key of a payload in format version 1."""
    return hashlib.sha256(master + bytes.fromhex(sha256)).digest()
