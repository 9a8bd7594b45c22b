"""The resource by which steps reach the data folder."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from showcost.config.home import Home, open_home
from showcost.core.errors import ShowcostError

if TYPE_CHECKING:
    from collections.abc import Iterator


class DataFolder(dg.ConfigurableResource[None]):
    """The data folder of the production; `path` is what `SHOWCOST_HOME` names unless set otherwise."""

    path: str

    def home(self) -> Home:
        """Return the folder, checked to describe a production."""
        return open_home(Path(self.path))


@contextmanager
def plain_failures() -> Iterator[None]:
    """Turn an error of ours into a failed step whose message is the one sentence, without retries."""
    try:
        yield
    except ShowcostError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
