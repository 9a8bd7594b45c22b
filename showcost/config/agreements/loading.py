"""Reading the agreements: those of the package, and those of a production's own data folder.

A file that cannot be used is one clear error: file, key, what was expected. What an agreement is, is said in
`model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from showcost.config.agreements.model import Agreement
from showcost.config.loading import load_model
from showcost.core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGED: Final = Path(__file__).resolve().parent / "data"
"""The folder of the agreements that come with the package."""

FOLDER: Final = "agreements"
"""The folder of a production's own agreements, below its data folder."""

_FAR: Final = date.max


@dataclass(frozen=True)
class Agreements:
    """The agreements that are known, by name."""

    all: tuple[Agreement, ...]

    def __iter__(self) -> Iterator[Agreement]:
        return iter(self.all)

    def called(self, name: str) -> tuple[Agreement, ...]:
        """Return the agreements that go by a name or alias, without regard to case."""
        wanted = normal(name)
        return tuple(one for one in self.all if wanted in names_of(one))

    def named(self, name: str) -> Agreement:
        """Return the agreement of exactly that name; InputError lists those that there are."""
        for one in self.all:
            if normal(one.name) == normal(name):
                return one
        raise InputError(f"no agreement {name!r}; there are {', '.join(one.name for one in self.all)}")


def normal(name: str) -> str:
    """Return a name as names are compared: without case and runs of spaces."""
    return " ".join(name.casefold().split())


def names_of(agreement: Agreement) -> frozenset[str]:
    """Return the names that an agreement goes by, as they are compared."""
    return frozenset(normal(name) for name in (agreement.name, *agreement.aliases))


def load_agreements(home: Path | None = None) -> Agreements:
    """Return the package's agreements and, with a data folder, the production's own.

    ConfigError names file, key and what was expected.
    """
    own = sorted((home / FOLDER).glob("*.yaml")) if home is not None else []
    return _together([*packaged_files(), *own]) if own else packaged()


def packaged_files() -> list[Path]:
    """Return the files of the package's agreements."""
    return sorted(PACKAGED.glob("*.yaml"))


@cache
def packaged() -> Agreements:
    """Return the package's agreements, read once."""
    return _together(packaged_files())


def _together(files: Iterable[Path]) -> Agreements:
    found: list[tuple[Path, Agreement]] = []
    for path in files:
        agreement = load_model(path, Agreement)
        for other_path, other in found:
            _check_apart(path, agreement, other_path, other)
        found.append((path, agreement))
    return Agreements(tuple(sorted((one for _, one in found), key=lambda one: (one.name, one.start))))


def _check_apart(path: Path, agreement: Agreement, other_path: Path, other: Agreement) -> None:
    """Refuse two agreements that one name could mean on one day."""
    if normal(agreement.name) == normal(other.name):
        raise ConfigError(path, "agreement", f"a name that no other file has ({other_path})", agreement.name)
    shared = names_of(agreement) & names_of(other)
    overlap = agreement.start <= (other.end or _FAR) and other.start <= (agreement.end or _FAR)
    if shared and (overlap or agreement.keyed_on is not other.keyed_on):
        raise ConfigError(
            path, "aliases", f"names that {other_path} does not have at the same time", min(shared)
        )
