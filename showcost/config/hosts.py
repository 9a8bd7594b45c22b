"""Names of this machine and of environment variables, as the settings of APIs and alerts write them."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
"""The accepted names of this machine, for which plain http is allowed (simulators)."""
