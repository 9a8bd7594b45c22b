"""Payloads are stored once, under the sha256 of their plain bytes, whether encrypted or not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

from showcost.core.durable import write_durably
from showcost.core.errors import InputError, IntegrityError
from showcost.deliveries.encryption import BLOCK, KEY_VARIABLE, MAGIC
from showcost.deliveries.payloads import PayloadStore

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(32)).decode()
VERSION_1 = Path(__file__).parent / "payload_version_1"
"""A payload and its wrapped key as the code before format version 2 wrote them, under KEY."""
VERSION_1_BYTES = b"invoice,net\n4711,120.00\n"
VERSION_1_SHA256 = hashlib.sha256(VERSION_1_BYTES).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> PayloadStore:
    return PayloadStore(tmp_path / "raw")


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def put(store: PayloadStore, folder: Path, data: bytes) -> str:
    source = folder / "delivery.csv"
    source.write_bytes(data)
    payload = store.put(source)
    assert payload.sha256 == hashlib.sha256(data).hexdigest()
    assert payload.size == len(data)
    return payload.sha256


def plain(store: PayloadStore, sha256: str) -> bytes:
    with store.opened(sha256) as path:
        return path.read_bytes()


def test_a_payload_is_stored_once(store: PayloadStore, tmp_path: Path) -> None:
    sha256 = put(store, tmp_path, b"a,b\n1,2\n")
    assert plain(store, sha256) == store.path(sha256).read_bytes() == b"a,b\n1,2\n"
    assert not store.put(tmp_path / "delivery.csv").new


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_an_encrypted_payload_reads_back_and_keeps_its_name(
    store: PayloadStore, tmp_path: Path, size: int
) -> None:
    data = bytes(number % 251 for number in range(1000)) * (size // 1000 + 1)
    sha256 = put(store, tmp_path, data[:size])
    stored = store.path(sha256).read_bytes()
    assert stored.startswith(MAGIC)
    assert size < 100 or data[:100] not in stored
    assert plain(store, sha256) == data[:size]
    assert store.problem(sha256) is None


@pytest.mark.usefixtures("key")
def test_the_same_bytes_never_have_the_same_ciphertext(tmp_path: Path) -> None:
    stores = [PayloadStore(tmp_path / name) for name in ("one", "two")]
    (first, second) = [store.path(put(store, tmp_path, b"the same" * 50)).read_bytes() for store in stores]
    assert first != second


@pytest.mark.usefixtures("key")
def test_altered_reordered_and_shortened_payloads_are_refused(store: PayloadStore, tmp_path: Path) -> None:
    sha256 = put(store, tmp_path, bytes(2 * BLOCK + 10))
    path = store.path(sha256)
    path.chmod(0o644)
    data = path.read_bytes()
    begin, sealed = len(MAGIC) + 8, BLOCK + 16
    first, second = data[begin : begin + sealed], data[begin + sealed : begin + 2 * sealed]
    for forged in (
        data[:-1],
        data[: begin + 2 * sealed],
        data[:begin] + second + first + data[begin + 2 * sealed :],
        data[:40] + bytes([data[40] ^ 1]) + data[41:],
    ):
        path.write_bytes(forged)
        with pytest.raises(IntegrityError, match="was altered"):
            store.verified(sha256)


def test_without_the_right_key_nothing_is_read(
    store: PayloadStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    sha256 = put(store, tmp_path, b"secret")
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(InputError, match=f"{KEY_VARIABLE} is not set"):
        store.verified(sha256)
    monkeypatch.setenv(KEY_VARIABLE, OTHER)
    with pytest.raises(InputError, match="does not open"):
        store.verified(sha256)
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(InputError, match="32 bytes in base64"):
        put(store, tmp_path, b"more")


def test_payloads_stored_plain_stay_readable_when_a_key_is_set(
    store: PayloadStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = put(store, tmp_path, b"plain")
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert plain(store, sha256) == b"plain"
    with pytest.raises(InputError, match="only encrypted ones can be shredded"):
        store.shred(sha256)


@pytest.mark.usefixtures("key")
def test_a_shredded_payload_is_gone_and_its_neighbour_is_not(store: PayloadStore, tmp_path: Path) -> None:
    gone, kept = put(store, tmp_path, b"gone"), put(store, tmp_path, b"kept")
    store.shred(gone)
    assert store.is_shredded(gone)
    assert not store.is_shredded(kept)
    with pytest.raises(InputError, match="was shredded"):
        store.verified(gone)
    assert plain(store, kept) == b"kept"


@pytest.fixture
def version_1(tmp_path: Path) -> PayloadStore:
    return PayloadStore(shutil.copytree(VERSION_1, tmp_path / "version_1"))


@pytest.mark.usefixtures("key")
def test_a_payload_of_format_version_1_still_opens(version_1: PayloadStore) -> None:
    assert version_1.path(VERSION_1_SHA256).read_bytes().startswith(b"showcost-payload-1\n")
    assert plain(version_1, VERSION_1_SHA256) == VERSION_1_BYTES
    assert version_1.problem(VERSION_1_SHA256) is None


def test_a_payload_of_format_version_1_needs_its_key(
    version_1: PayloadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, OTHER)
    with pytest.raises(InputError, match="does not open"):
        version_1.verified(VERSION_1_SHA256)


@pytest.mark.usefixtures("key")
def test_a_payload_of_format_version_1_can_be_shredded(version_1: PayloadStore) -> None:
    version_1.shred(VERSION_1_SHA256)
    assert version_1.is_shredded(VERSION_1_SHA256)
    with pytest.raises(InputError, match="was shredded"):
        version_1.verified(VERSION_1_SHA256)


@pytest.mark.usefixtures("key")
def test_a_payload_relabelled_as_another_format_version_does_not_open(
    store: PayloadStore, tmp_path: Path
) -> None:
    sha256 = put(store, tmp_path, b"new")
    path = store.path(sha256)
    path.chmod(0o644)
    path.write_bytes(b"showcost-payload-1\n" + path.read_bytes()[len(MAGIC) :])
    with pytest.raises(InputError, match="does not open"):
        store.verified(sha256)


@pytest.mark.usefixtures("key")
def test_the_wrapping_key_is_hkdf_of_master_key_and_payload_hash(store: PayloadStore, tmp_path: Path) -> None:
    """RFC 5869 written out: extract under an empty salt, then the first block of expand."""
    sha256 = put(store, tmp_path, b"new")
    secret = hmac.digest(bytes(32), bytes(range(32)), "sha256")
    wrapping_key = hmac.digest(secret, MAGIC + bytes.fromhex(sha256) + b"\x01", "sha256")
    wrapped = store.path(sha256).with_name(f"{sha256}.key").read_bytes()
    assert len(aes_key_unwrap(wrapping_key, wrapped)) == 32


@pytest.mark.usefixtures("key")
def test_a_payload_that_two_store_at_once_is_readable(
    store: PayloadStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each waits after its key until the other has stored its key too, or for a moment: without a lock, the
    # one that stored its key first stores its payload last.
    first = threading.Event()
    second = threading.Event()
    write_key = write_durably

    def write_and_wait(path: Path, data: bytes) -> None:
        is_first = not first.is_set()
        first.set()
        write_key(path, data)
        if is_first:
            second.wait(0.5)
            time.sleep(0.1)
        else:
            second.set()

    monkeypatch.setattr("showcost.deliveries.payloads.write_durably", write_and_wait)
    source = tmp_path / "delivery.csv"
    source.write_bytes(b"a,b\n1,2\n")
    with ThreadPoolExecutor(2) as pool:
        stored = list(pool.map(store.put, [source, source]))
    assert sorted(payload.new for payload in stored) == [False, True]
    assert plain(store, stored[0].sha256) == b"a,b\n1,2\n"


@pytest.mark.parametrize("end", [b"", b"a,b\n1,2\n"])
@pytest.mark.parametrize("preamble", [MAGIC, b"showcost-payload-1\n"])
def test_a_sender_who_begins_a_file_as_an_encrypted_one_has_sent_plain_bytes(
    store: PayloadStore, tmp_path: Path, preamble: bytes, end: bytes
) -> None:
    sha256 = put(store, tmp_path, preamble + end)
    assert plain(store, sha256) == preamble + end
    assert (store.is_encrypted(sha256), store.is_shredded(sha256), store.problem(sha256)) == (
        False,
        False,
        None,
    )
    with pytest.raises(InputError, match="is not encrypted"):
        store.shred(sha256)


@pytest.mark.usefixtures("key")
def test_such_a_file_is_encrypted_and_shredded_as_any_other(store: PayloadStore, tmp_path: Path) -> None:
    sha256 = put(store, tmp_path, MAGIC + b"a,b\n")
    assert (store.is_encrypted(sha256), plain(store, sha256)) == (True, MAGIC + b"a,b\n")
    store.shred(sha256)
    assert store.is_shredded(sha256)


def test_a_key_that_a_crash_left_without_its_payload_belongs_to_none(
    store: PayloadStore, tmp_path: Path
) -> None:
    data = MAGIC + b"x"
    path = store.path(hashlib.sha256(data).hexdigest())
    path.parent.mkdir(parents=True)
    path.with_name(f"{path.name}.key").write_bytes(bytes(40))
    assert plain(store, put(store, tmp_path, data)) == data
