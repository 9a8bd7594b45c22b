"""Backup of a data folder while others work, and its restoration elsewhere; both are verified at the end.

    BACKUP/backup.json    the manifest: every file with its sha256, the head of the audit log, the digest
    BACKUP/home/          the files of the data folder

Files that never change are copied first, while others write. The rest is copied while this process has the
lock files of all stores, so that log, ledger, register and staging are of one moment. Lock files and the
history of Dagster are not copied. A backup or a restored folder appears by a rename, after its verification.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from showcost.checks.verify import verify
from showcost.config.production import PRODUCTION_FILE
from showcost.core.durable import (
    TEMPORARY_SUFFIX,
    fsync_folder,
    make_folder,
    produce_temporary,
    rename,
    temporary_path,
    write_durably,
)
from showcost.core.errors import CheckFailedError, InputError, IntegrityError, StoreBusyError
from showcost.core.hashing import sha256_bytes, sha256_file
from showcost.core.locking import exclusive_lock
from showcost.core.once import is_filled, only_writer
from showcost.ledger.digest import digest as ledger_digest
from showcost.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from showcost.audit.log import Discrepancy

MANIFEST: Final = "backup.json"
HOME: Final = "home"
FORM: Final = 1
"""The form of the manifest; a backup of a later form is not restored."""

_BLOCK: Final = 1 << 20
_PAUSE: Final = 0.05
_ATTEMPTS: Final = 3
_LOCKS: Final = "locks"
_ALWAYS_LOCKED: Final = ("ledger.duckdb", "audit", "register", "payloads")
_NAMED_BY_CONTENT_DEPTH: Final = 3


@dataclass(frozen=True)
class Backup:
    """A backup or a restored data folder: what its ledger and its audit log are, and its files.

    `left_out` are symbolic links, which are not followed. `manifest` is the sha256 of the manifest.
    `already_done` says that the same command had made it before.
    """

    folder: Path
    head: str
    records: int
    digest: str
    entries: int
    files: int
    size: int
    manifest: str
    left_out: tuple[str, ...] = ()
    already_done: bool = False


@dataclass(frozen=True)
class _File:
    """A copied file: its size and sha256, and the time of change of the original when it was copied."""

    size: int
    sha256: str
    modified_ns: int


@dataclass
class _Copy:
    """The copy of a data folder under way: its folder and its files, by path."""

    folder: Path
    files: dict[str, _File] = field(default_factory=dict)

    def take(self, home: Path, name: str) -> None:
        """Copy a file, unless it is copied as it is; one that was removed meanwhile is removed here."""
        try:
            with home.joinpath(name).open("rb") as stream:
                status = os.fstat(stream.fileno())
                known = self.files.get(name)
                if known is not None and (known.size, known.modified_ns) == (
                    status.st_size,
                    status.st_mtime_ns,
                ):
                    return
                target = self.folder.joinpath(name)
                make_folder(target.parent)
                sha256, size = _copied(stream, home.joinpath(name), target)
                self.files[name] = _File(size, sha256, status.st_mtime_ns)
        except FileNotFoundError:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Remove a file that the data folder no longer has."""
        if self.files.pop(name, None) is not None:
            self.folder.joinpath(name).unlink()

    def sync(self) -> None:
        """Make the names of all files durable."""
        for folder in sorted({self.folder.joinpath(name).parent for name in self.files}):
            fsync_folder(folder)


def back_up(workspace: Workspace, target: Path, *, wait_seconds: float = 600) -> Backup:
    """Copy a data folder to a new or empty folder `target`, verify the copy, and return what it is.

    Others may work meanwhile; they wait while the files that change are copied. Raises InputError for a
    folder with files or one inside the data folder, StoreBusyError if the stores were not free for
    `wait_seconds`, CheckFailedError if the copy does not verify; then nothing is left. A backup of the data
    folder as it is now, made before, is left as it is.
    """
    target = target.resolve()
    if target.is_relative_to(workspace.path.resolve()):
        raise InputError(f"{target} is inside the data folder; name a folder elsewhere, best on another disk")
    busy = "another process is making a backup; try again"
    # A ledger of an earlier version is migrated before it is copied, and not in the copy.
    with (
        exclusive_lock(workspace.locks.joinpath("backup.lock"), busy, wait_seconds=wait_seconds),
        workspace.ledger.read(),
    ):
        pass
    with exclusive_lock(workspace.locks.joinpath("backup.lock"), busy, wait_seconds=wait_seconds):
        names, left_out = _names(workspace.path)
        if target.joinpath(MANIFEST).is_file():
            data, facts = _read_manifest(target)
            _require_files(workspace.path, facts, f"{target} has a backup of an earlier state")
            _require_files(target.joinpath(HOME), facts, f"{target} has a backup that was changed")
            return _backup(target, data, left_out, already_done=True)
        manifest = _new_backup(workspace, target, names, wait_seconds)
    return _backup(target, manifest, left_out)


def _new_backup(workspace: Workspace, target: Path, names: Sequence[str], wait_seconds: float) -> bytes:
    """Copy, verify and put in place a backup; return its manifest."""
    _require_new(target)
    with _aside(target) as aside:
        copy = _Copy(aside.joinpath(HOME))
        make_folder(copy.folder)
        for name in names:
            if _is_copied_early(name):
                copy.take(workspace.path, name)
        difference = _copy_of_one_moment(workspace, copy, wait_seconds)
        if difference is not None:
            raise CheckFailedError(
                f"the copy does not verify ({difference}), so there is no backup; check the data folder with"
                " `showcost verify`"
            )
        manifest = _manifest_of(copy)
        write_durably(aside.joinpath(MANIFEST), manifest)
        rename(aside, target)
        fsync_folder(target.parent)
    return manifest


def restore(backup: Path, target: Path, *, head: str | None = None) -> Backup:
    """Make a new data folder from a backup, verify it, and return what it is.

    `head` is a head of the audit log that was stored elsewhere. Raises InputError for a folder with files or
    one that is not a backup, IntegrityError for a file that differs from the manifest, CheckFailedError if
    the folder does not verify or has another digest; then nothing is left. A folder that was restored from
    the same backup, and is unchanged, is left as it is.
    """
    target = target.resolve()
    data, facts = _read_manifest(backup)
    with only_writer(target):
        if target.joinpath(PRODUCTION_FILE).is_file():
            _require_files(target, facts, f"{target} is not empty")
            _require_same(Workspace(target), facts, head)
            return _backup(target, data, (), already_done=True)
        _restore_anew(backup, target, facts, head)
    return _backup(target, data, ())


def _restore_anew(backup: Path, target: Path, facts: Mapping[str, Any], head: str | None) -> None:
    """Copy the files of a backup, verify them and put them in place."""
    _require_new(target)
    with _aside(target) as aside:
        copy = _Copy(aside)
        for item in facts["files"]:
            name = _checked_name(item["path"])
            copy.take(backup.joinpath(HOME), name)
            if (copied := copy.files.get(name)) is None or copied.sha256 != item["sha256"]:
                problem = "is missing" if copied is None else "differs from its manifest"
                raise IntegrityError(f"{backup.joinpath(HOME, name)} {problem}; nothing was restored")
        copy.sync()
        _require_same(Workspace(aside), facts, head)
        shutil.rmtree(aside.joinpath(_LOCKS), ignore_errors=True)
        rename(aside, target)
        fsync_folder(target.parent)


def _require_files(home: Path, facts: Mapping[str, Any], problem: str) -> None:
    """Raise InputError, with the problem, unless a folder has exactly the files of a manifest."""
    names, _ = _names(home)
    files = {item["path"]: item["sha256"] for item in facts["files"]}
    if sorted(files) != names or any(sha256_file(home.joinpath(name)) != files[name] for name in names):
        raise InputError(f"{problem}; nothing is overwritten, name a new folder")


def _require_same(workspace: Workspace, facts: Mapping[str, Any], head: str | None) -> None:
    """Raise CheckFailedError unless a copy verifies and has the head and the digest of the manifest."""
    outcome = verify(workspace, head=head)
    if outcome.first is not None:
        raise CheckFailedError(f"the copy does not verify ({outcome.first}); nothing was restored")
    digest, entries = _digest(workspace)
    found = [outcome.head.seq, outcome.head.hash, digest, entries]
    if found != [facts[name] for name in ("records", "head", "digest", "entries")]:
        raise CheckFailedError(
            f"the copy has the head {outcome.head.hash} and the digest {digest}, but its manifest has"
            f" {facts['head']} and {facts['digest']}; nothing was restored"
        )


def _copy_of_one_moment(workspace: Workspace, copy: _Copy, wait_seconds: float) -> Discrepancy | None:
    """Copy what may have changed while nobody writes, and return the first difference of the copy.

    A difference is looked at again with a new copy: a pull may have been between its record and its line.
    """
    difference = None
    for _ in range(_ATTEMPTS):
        with _nobody_writes(workspace, wait_seconds):
            names, _links = _names(workspace.path)
            for name in sorted(copy.files.keys() - set(names)):
                copy.drop(name)
            for name in names:
                if not _is_copied_early(name):
                    copy.files.pop(name, None)
                copy.take(workspace.path, name)
        copy.sync()
        _require_copied(copy)
        difference = verify(Workspace(copy.folder)).first
        shutil.rmtree(copy.folder.joinpath(_LOCKS), ignore_errors=True)
        if difference is None:
            break
    return difference


@contextmanager
def _nobody_writes(workspace: Workspace, wait_seconds: float) -> Iterator[None]:
    """Hold the lock files of all stores within the block.

    They are taken all or none, so that nobody who holds one and waits for another is kept waiting for ever.
    A pull holds its lock for long and is let be: each of its pages is under the locks of the stores.
    """
    until = time.monotonic() + wait_seconds
    busy = f"{workspace.path}: its stores were not free for {wait_seconds:g} s; try again"
    while True:
        with ExitStack() as held:
            try:
                for path in _lock_files(workspace):
                    held.enter_context(exclusive_lock(path, busy, wait_seconds=0))
            except StoreBusyError:
                if time.monotonic() >= until:
                    raise
            else:
                yield
                return
        time.sleep(_PAUSE)


def _lock_files(workspace: Workspace) -> list[Path]:
    present = {path for path in workspace.locks.glob("*.lock") if not path.name.startswith("pull_")}
    always = {workspace.locks.joinpath(f"{name}.lock") for name in _ALWAYS_LOCKED}
    return sorted((present | always) - {workspace.locks.joinpath("backup.lock")})


def _names(home: Path) -> tuple[list[str], tuple[str, ...]]:
    """Return the files of a data folder to copy, and the symbolic links, by path; sorted."""
    names, links = [], []
    for folder, subfolders, files in os.walk(home):
        place = Path(folder)
        links += [place.joinpath(name) for name in subfolders if place.joinpath(name).is_symlink()]
        if place == home:
            subfolders[:] = [
                name
                for name in subfolders
                if name != _LOCKS and not home.joinpath(name, "dagster.yaml").exists()
            ]
        for path in (place.joinpath(name) for name in files):
            if path.is_symlink():
                links.append(path)
            elif path.is_file() and not path.name.endswith(TEMPORARY_SUFFIX):
                names.append(path.relative_to(home).as_posix())
    return sorted(names), tuple(sorted(path.relative_to(home).as_posix() for path in links))


def _is_copied_early(name: str) -> bool:
    """Tell whether a file never changes once it is there, or belongs to others, as those of the inbox."""
    store, *inner = PurePosixPath(name).parts
    if store in {"raw", "audit"}:
        return len(inner) + 1 >= _NAMED_BY_CONTENT_DEPTH and not name.endswith((".jsonl", ".key"))
    return store in {"inbox", "rates", "published"} or (store == "staging" and name.endswith(".parquet"))


def _copied(stream: BinaryIO, source: Path, target: Path) -> tuple[str, int]:
    """Copy an open file, durably but for its name; return the sha256 and the size of what was copied."""
    sha256 = hashlib.sha256()
    size = 0

    def write_blocks(path: Path) -> None:
        nonlocal size
        with path.open("xb") as copy:
            while block := stream.read(_BLOCK):
                sha256.update(block)
                size += copy.write(block)
        # The time of a file is part of its name in the inbox.
        shutil.copystat(source, path)

    rename(produce_temporary(target, write_blocks), target)
    return sha256.hexdigest(), size


def _require_copied(copy: _Copy) -> None:
    """Raise IntegrityError for a file whose bytes on the disk are not those that were copied."""
    for name, file in copy.files.items():
        if sha256_file(copy.folder.joinpath(name)) != file.sha256:
            raise IntegrityError(f"{copy.folder.joinpath(name)}: its bytes are not those that were written")


def _digest(workspace: Workspace) -> tuple[str, int]:
    with workspace.ledger.read() as connection:
        result = ledger_digest(connection, date.min, date.max)
    return result.hash, sum(rows for rows, _ in result.partitions.values())


def _manifest_of(copy: _Copy) -> bytes:
    workspace = Workspace(copy.folder)
    head = workspace.audit.head()
    digest, entries = _digest(workspace)
    facts = {
        "form": FORM,
        "showcost": version("showcost"),
        "production": workspace.production.code,
        "made_at": workspace.audit.now().isoformat(timespec="seconds"),
        "records": head.seq,
        "head": head.hash,
        "digest": digest,
        "entries": entries,
        "files": [
            {"path": name, "size": file.size, "sha256": file.sha256}
            for name, file in sorted(copy.files.items())
        ],
    }
    return json.dumps(facts, ensure_ascii=False, indent=1).encode() + b"\n"


def _read_manifest(backup: Path) -> tuple[bytes, dict[str, Any]]:
    path = backup.joinpath(MANIFEST)
    try:
        data = path.read_bytes()
        facts: dict[str, Any] = json.loads(data)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{backup}: not a backup, because it has no {MANIFEST}") from None
    except ValueError:
        raise IntegrityError(f"{path} cannot be read; nothing was restored") from None
    if facts.get("form") != FORM:
        raise InputError(f"{path} has the form {facts.get('form')}; this version restores the form {FORM}")
    return data, facts


def _checked_name(name: str) -> str:
    """Return the path of a file in a manifest; IntegrityError if it leads out of the folder."""
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise IntegrityError(f"{MANIFEST} names {name!r}, which is not inside a data folder")
    return name


def _backup(
    folder: Path, manifest: bytes, left_out: tuple[str, ...], *, already_done: bool = False
) -> Backup:
    facts = json.loads(manifest)
    return Backup(
        folder,
        head=facts["head"],
        records=facts["records"],
        digest=facts["digest"],
        entries=facts["entries"],
        files=len(facts["files"]),
        size=sum(item["size"] for item in facts["files"]),
        manifest=sha256_bytes(manifest),
        left_out=left_out,
        already_done=already_done,
    )


def _require_new(target: Path) -> None:
    if is_filled(target):
        raise InputError(f"{target} is not empty; nothing is overwritten, name a new folder")


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """Yield a folder beside `target` for its content; it is removed if the block fails."""
    make_folder(target.parent)
    for debris in target.parent.glob(f"{target.name}.*{TEMPORARY_SUFFIX}"):
        shutil.rmtree(debris)
    aside = temporary_path(target)
    make_folder(aside)
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
