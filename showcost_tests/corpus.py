"""The folder of real files, for tests that need it; it is never part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def corpus_dir(name: str) -> Path:
    """Return a folder of the corpus; skip the calling test where the corpus is missing."""
    default = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    folder = Path(os.environ.get("SHOWCOST_CORPUS", default)) / name
    if not folder.is_dir():
        pytest.skip(f"the corpus folder {name} is not here")
    return folder
