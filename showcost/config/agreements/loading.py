"""Loading of agreements, from the package and from a production's data folder.

An invalid file raises ConfigError with file, key and expected value. `model` defines agreements.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from showcost.config.agreements.model import Agreement
from showcost.config.chart import NO_UNION
from showcost.config.loading import ConfigModel, load_model
from showcost.core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGED: Final = Path(__file__).resolve().parent / "data"
"""The folder of the package's agreements."""

FOLDER: Final = "agreements"
"""The folder of a production's own agreements, below its data folder."""

_FAR: Final = date.max


@dataclass(frozen=True)
class Agreements:
    """The loaded agreements, by name."""

    all: tuple[Agreement, ...]

    def __iter__(self) -> Iterator[Agreement]:
        return iter(self.all)

    @property
    def unions(self) -> frozenset[str]:
        """The unions of the agreements, and of guilds that charts name without one (`config/unions.yaml`)."""
        return frozenset(agreement.union for agreement in self.all) - {NO_UNION} | _other_unions()

    def called(self, name: str) -> tuple[Agreement, ...]:
        """Return the agreements with a name or alias; case is ignored."""
        normalised = normal(name)
        return tuple(agreement for agreement in self.all if normalised in names_of(agreement))

    def named(self, name: str) -> Agreement:
        """Return the agreement with exactly that name, aliases excluded; InputError lists the names."""
        for agreement in self.all:
            if normal(agreement.name) == normal(name):
                return agreement
        names = ", ".join(agreement.name for agreement in self.all)
        raise InputError(f"no agreement {name!r}; agreements: {names}")


def normal(name: str) -> str:
    """Return a name in its form for comparison: without case and runs of spaces."""
    return " ".join(name.casefold().split())


def names_of(agreement: Agreement) -> frozenset[str]:
    """Return the name and aliases of an agreement, in their form for comparison."""
    return frozenset(normal(name) for name in (agreement.name, *agreement.aliases))


def load_agreements(home: Path | None = None) -> Agreements:
    """Return the package's agreements and, with a data folder, the production's own.

    ConfigError names the file, the key and the expected value.
    """
    own = sorted((home / FOLDER).glob("*.yaml")) if home is not None else []
    return _load_all([*packaged_files(), *own]) if own else packaged()


def packaged_files() -> list[Path]:
    """Return the files of the package's agreements."""
    return sorted(PACKAGED.glob("*.yaml"))


@cache
def packaged() -> Agreements:
    """Return the package's agreements, read once."""
    return _load_all(packaged_files())


class _OtherUnions(ConfigModel):
    """Unions without an agreement, with their names."""

    unions: dict[str, str]


@cache
def _other_unions() -> frozenset[str]:
    return frozenset(load_model(PACKAGED.parents[1].joinpath("unions.yaml"), _OtherUnions).unions)


def _load_all(files: Iterable[Path]) -> Agreements:
    loaded: list[tuple[Path, Agreement]] = []
    for path in files:
        agreement = load_model(path, Agreement)
        for other_path, other in loaded:
            _check_distinct(path, agreement, other_path, other)
        loaded.append((path, agreement))
    agreements = [agreement for _, agreement in loaded]
    return Agreements(tuple(sorted(agreements, key=lambda agreement: (agreement.name, agreement.start))))


def _check_distinct(path: Path, agreement: Agreement, other_path: Path, other: Agreement) -> None:
    """Raise ConfigError for two agreements that share a name on the same day."""
    if normal(agreement.name) == normal(other.name):
        raise ConfigError(path, "agreement", f"a name that no other file has ({other_path})", agreement.name)
    shared = names_of(agreement) & names_of(other)
    overlap = agreement.start <= (other.end or _FAR) and other.start <= (agreement.end or _FAR)
    if shared and (overlap or agreement.keyed_on is not other.keyed_on):
        raise ConfigError(
            path, "aliases", f"names that {other_path} does not have at the same time", min(shared)
        )
