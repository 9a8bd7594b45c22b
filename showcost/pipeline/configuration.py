"""The configuration in force: recorded in the audit log when it changes, its files kept beside the log.

    audit/configurations/<sha256 of a file's bytes>

Base currency, chart, agreements, closed periods, budget and feeds decide what is posted, and none of them is
in a delivery. So the record `configured` names each file of the configuration by its sha256, and every
validation and posting names the configuration that it used.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import showcost
from showcost.audit import transitions as states
from showcost.audit.log import CONFIGURATION, Discrepancy
from showcost.audit.transitions import AuditKind
from showcost.config.feeds import load_feeds
from showcost.core.durable import make_folder, write_durably
from showcost.core.errors import InputError, IntegrityError
from showcost.core.hashing import sha256_bytes, sha256_file, sha256_framed
from showcost.ingest.landing import RECORDS_VERSION
from showcost.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from showcost.audit.log import AuditLog, Record
    from showcost.config.feed import FeedSpec

_PARTS: Final = "parts"
_HOME_FILES: Final = ("*.yaml", "*.csv", "agreements/**/*.yaml", "incentives/**/*.yaml", "feeds/**/*.yaml")
_PACKAGE_FILES: Final = ("config/**/data/*.yaml", "defs/feeds/*/defs.yaml")
_PACKAGE: Final = Path(showcost.__file__).parent
_SHOWN: Final = 5
_SHA256: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Configuration:
    """The files of a configuration by name, and its id, the sha256 over their names and hashes.

    Files of the data folder have their path below it, files of the package `showcost/` before theirs; the
    versions of showcost and of its reader are parts as well.
    """

    files: Mapping[str, bytes]

    @property
    def parts(self) -> dict[str, str]:
        """The sha256 of each file by name."""
        return {name: sha256_bytes(data) for name, data in sorted(self.files.items())}

    @property
    def id(self) -> str:
        """64 hex digits."""
        return _id_of(self.parts)


def _id_of(parts: Mapping[str, str]) -> str:
    return sha256_framed(text for item in sorted(parts.items()) for text in item)


def configuration_of(workspace: Workspace) -> Configuration:
    """Return the configuration of a data folder as its files are now."""
    files = dict(_files(workspace.path, _HOME_FILES, ""))
    files |= dict(_files(_PACKAGE, _PACKAGE_FILES, "showcost/"))
    files["versions"] = f"showcost {version('showcost')}, records {RECORDS_VERSION}\n".encode()
    return Configuration(files)


def _files(folder: Path, patterns: tuple[str, ...], prefix: str) -> Iterator[tuple[str, bytes]]:
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            yield prefix + path.relative_to(folder).as_posix(), path.read_bytes()


def record_configuration(workspace: Workspace) -> str:
    """Record the configuration if it differs from the last recorded one, and return its id.

    Its files are durable before the record.
    """
    current = configuration_of(workspace)
    parts = current.parts
    audit = workspace.audit
    if audit.configuration() != current.id:
        folder = audit.configurations
        make_folder(folder)
        for name, sha256 in parts.items():
            path = folder / sha256
            if not (path.exists() and sha256_file(path) == sha256):
                write_durably(path, current.files[name])
        audit.append(
            AuditKind.CONFIGURED,
            {CONFIGURATION: current.id, _PARTS: parts},
            subjects=[states.configuration()],
        )
    return current.id


@contextmanager
def configured_as(workspace: Workspace, configuration: str) -> Iterator[tuple[Workspace, list[FeedSpec]]]:
    """Yield a data folder with the files of a recorded configuration alone, and the feeds that it declares.

    The agreements of the package are those of today. InputError if there is no such configuration,
    IntegrityError for one with a file outside the folder.
    """
    parts: Mapping[str, str] | None = None
    for record in workspace.audit.records():
        facts: Mapping[str, Any] = record.facts
        if record.kind is AuditKind.CONFIGURED and facts[CONFIGURATION] == configuration:
            parts = facts[_PARTS]
    if parts is None:
        raise InputError(f"no record of the audit log has the configuration {configuration}")
    with tempfile.TemporaryDirectory(prefix="showcost-configuration-") as name:
        folder = Path(name)
        for file, sha256 in parts.items():
            # Whoever verifies a folder that others made must not write where they want.
            path = folder / file
            if not path.resolve().is_relative_to(folder.resolve()) or not _SHA256.fullmatch(sha256):
                raise IntegrityError(
                    f"{workspace.audit.path}: configuration {configuration} has a file outside its folder:"
                    f" {file!r}"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(workspace.audit.configurations.joinpath(sha256).read_bytes())
        restored = Workspace(folder)
        feeds = load_feeds(restored.production.code, folder / "showcost" / "defs", home=folder)
        yield restored, feeds


def last_declared(workspace: Workspace, names: Collection[str]) -> list[FeedSpec]:
    """Return feeds that are no longer declared as the last configuration that declared them has them.

    Feeds of `names` that no recorded configuration declares are left out. Raises as `configured_as` does, and
    OSError if a file of a configuration is missing.
    """
    configurations = [
        str(record.facts[CONFIGURATION])
        for record in workspace.audit.records()
        if record.kind is AuditKind.CONFIGURED
    ]
    found: dict[str, FeedSpec] = {}
    for configuration in dict.fromkeys(reversed(configurations)):
        if len(found) == len(names):
            break
        with configured_as(workspace, configuration) as (_, feeds):
            declared = {feed.name: feed for feed in feeds if feed.name in names}
            found = declared | found
    return [found[name] for name in sorted(found)]


def check_configurations(audit: AuditLog) -> tuple[int, list[Discrepancy]]:
    """Return the number of records with a configuration, and what is wrong with them.

    Each names a configuration that was recorded before it, and the files of all configurations are there.
    """
    known: set[str] = set()
    sound: set[str] = set()
    checked = 0
    discrepancies: list[Discrepancy] = []
    for record in audit.records():
        facts: Mapping[str, Any] = record.facts
        if record.kind is AuditKind.CONFIGURED:
            known.add(facts[CONFIGURATION])
            discrepancies += _wrong_files(audit, record, sound)
            if _id_of(facts[_PARTS]) != facts[CONFIGURATION]:
                discrepancies.append(_wrong(record, "its id is not that of its files"))
        elif (named := facts.get(CONFIGURATION)) is not None:
            checked += 1
            if named not in known:
                discrepancies.append(_wrong(record, f"no record has its configuration {named}"))
    return checked, discrepancies


def _wrong_files(audit: AuditLog, record: Record, sound: set[str]) -> Iterator[Discrepancy]:
    facts: Mapping[str, Any] = record.facts
    for name, sha256 in facts[_PARTS].items():
        path = audit.configurations.joinpath(sha256)
        if sha256 in sound:
            continue
        if not path.is_file():
            yield Discrepancy(f"audit/configurations/{sha256}", f"{name} of record {record.seq} is missing")
        elif sha256_file(path) != sha256:
            yield Discrepancy(f"audit/configurations/{sha256}", f"{name} of record {record.seq} was changed")
        else:
            sound.add(sha256)


def _wrong(record: Record, problem: str) -> Discrepancy:
    return Discrepancy(f"audit/log.jsonl, record {record.seq}", problem)


def changed_since(workspace: Workspace) -> str | None:
    """Return how the configuration differs from the one that was last used, as a sentence, or None.

    Names the record and the files; a change is recorded with the next validation or posting.
    """
    last: Record | None = None
    for record in workspace.audit.records():
        if record.kind is AuditKind.CONFIGURED:
            last = record
    if last is None:
        return None
    facts: Mapping[str, Any] = last.facts
    before, now = facts[_PARTS], configuration_of(workspace).parts
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if not changed:
        return None
    named = ", ".join(changed[:_SHOWN]) + (f" and {len(changed) - _SHOWN} more" if changed[_SHOWN:] else "")
    return (
        f"the configuration differs from that of record {last.seq} ({last.at:%Y-%m-%d %H:%M} UTC), which the"
        f" books were made with, in {named}; the old files are in audit/configurations"
    )
