"""Loading of the declared feeds without Dagster, from the YAML files that its components use."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from showcost.config.feed import FeedSpec
from showcost.config.loading import build_model, made_once, read_yaml_documents
from showcost.core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

FEED_TYPE: Final = "showcost.components.Feed"
HOME_FEEDS: Final = "feeds"
"""The folder of a data folder's own feeds."""

_DECLARATION: Final = "defs.yaml"


def feeds_folder() -> Path:
    """Return the folder that contains the feeds' files, which are named `defs.yaml`."""
    return Path(__file__).resolve().parents[1] / "defs"


def load_feeds(
    production: str | None = None, folder: Path | None = None, *, home: Path | None = None
) -> list[FeedSpec]:
    """Return the declared feeds by name, of one production or all: the package's and those of a data folder.

    ConfigError names the file and the invalid key, or two files that declare the same feed.
    """
    return _loaded(production, [folder or feeds_folder(), *([] if home is None else [home / HOME_FEEDS])])


def load_home_feeds(production: str, home: Path) -> list[FeedSpec]:
    """Return the feeds that a data folder declares itself, in `feeds/`, by name; errors as `load_feeds`."""
    return _loaded(production, [home / HOME_FEEDS])


def _loaded(production: str | None, folders: Sequence[Path]) -> list[FeedSpec]:
    declared: dict[str, tuple[Path, FeedSpec]] = {}
    for path in (path for folder in folders for path in sorted(folder.rglob(_DECLARATION))):
        for feed in made_once(path, FEED_TYPE, partial(_feeds_in, path)):
            if feed.name in declared:
                other = declared[feed.name][0]
                raise ConfigError(
                    path, "attributes.name", f"a name that no other feed has ({other})", feed.name
                )
            declared[feed.name] = (path, feed)
    feeds = [declared[name][1] for name in sorted(declared)]
    return [feed for feed in feeds if production is None or feed.is_active(production)]


def _feeds_in(path: Path) -> tuple[FeedSpec, ...]:
    """Return the feeds that a file declares; ConfigError names the first invalid key."""
    return tuple(
        build_model(path, FeedSpec, document.get("attributes"), below="attributes")
        for document in read_yaml_documents(path)
        if isinstance(document, dict) and document.get("type") == FEED_TYPE
    )


def api_feeds(feeds: Sequence[FeedSpec]) -> list[FeedSpec]:
    """Return the feeds that have an API."""
    return [feed for feed in feeds if feed.api is not None]


def choose_feed(feeds: Sequence[FeedSpec], name: str) -> FeedSpec:
    """Return the feed of that name; InputError lists the names of all feeds."""
    for feed in feeds:
        if feed.name == name:
            return feed
    raise InputError(f"no feed {name!r}; there are {', '.join(feed.name for feed in feeds) or 'none'}")
