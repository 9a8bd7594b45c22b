"""Calling the command line as a person does, in this process."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from showcost.cli.main import main
from showcost.workspace import HOME_VARIABLE, Workspace


@dataclass(frozen=True)
class Ended:
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout; an assertion when it is not exactly one."""
        content = json.loads(self.out)
        assert isinstance(content, dict)
        return content

    @property
    def sentence(self) -> str:
        """The one sentence on stderr, after an assertion that there is nothing else."""
        assert self.out == ""
        assert "Traceback" not in self.err
        (line,) = self.err.splitlines()
        return line.removeprefix("showcost: ")


@dataclass(frozen=True)
class CommandLine:
    """The command line with the data folder that `SHOWCOST_HOME` names, or without the variable."""

    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def __call__(self, home: Workspace | str | None, *arguments: str) -> Ended:
        """Run `showcost` with some arguments."""
        if home is None:
            self.patch.delenv(HOME_VARIABLE, raising=False)
        else:
            self.patch.setenv(HOME_VARIABLE, str(home.path if isinstance(home, Workspace) else home))
        self.patch.setattr(sys, "argv", ["showcost", *arguments])
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        written = self.capture.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Ended(code, written.out, written.err)
