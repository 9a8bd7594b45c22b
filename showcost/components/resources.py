"""The resource that gives steps the data folder."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from showcost.core.errors import ShowcostError, disk_sentence
from showcost.workspace import Workspace, open_workspace, required_home

if TYPE_CHECKING:
    from collections.abc import Iterator


class DataFolder(dg.ConfigurableResource[None]):
    """The data folder of the production; an empty `path` means that none is named."""

    path: str

    def workspace(self) -> Workspace:
        """Return the folder, checked to describe a production. Raises InputError if none is named."""
        return open_workspace(Path(self.path) if self.path else required_home())


@contextmanager
def plain_failures() -> Iterator[None]:
    """Turn a showcost error, or one of the disk, into a failed step with one sentence, without retries."""
    try:
        yield
    except ShowcostError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    except OSError as error:
        raise dg.Failure(description=disk_sentence(error), allow_retries=False) from error
