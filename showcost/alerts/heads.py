"""The head of the audit log, sent where this machine cannot change it.

Whoever holds an earlier head can prove that no record before it was altered or removed
(`showcost verify --head`). A head that arrives every night also shows that the nights are at work.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Final

from showcost.alerts.alert import plain_message
from showcost.alerts.sinks import send_all
from showcost.checks.nightly import SentHead
from showcost.config.alerts import LogSink
from showcost.vendor_api.guard import resolve

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from showcost.checks.nightly import NightlyVerification
    from showcost.vendor_api.guard import Resolver
    from showcost.workspace import Workspace

_SECONDS: Final = 30


def send_head(
    workspace: Workspace,
    verified: NightlyVerification,
    now: datetime,
    log: Callable[[str], object],
    resolver: Resolver = resolve,
) -> list[SentHead]:
    """Send the head of a verification to all targets; return what was sent where, and what failed why.

    The log of this machine is no target. Nothing that fails is an error of the caller.
    """
    policy, production = workspace.production.verification, workspace.production
    facts = {
        "at": verified.at.isoformat(timespec="seconds"),
        "records": verified.seq,
        "head": verified.head,
        "digest": verified.digest,
        "entries": verified.entries,
        "verified": verified.verified,
    }
    outcomes: dict[str, str | None] = {}
    if "alerts" in policy.head_to:
        result = "verified" if verified.verified else "DIFFERENCES FOUND"
        message = plain_message(
            production,
            f"{result}, head of the audit log {verified.head[:12]}",
            f"{production.code}, {facts['at']}: {result}\n"
            f"audit record: {verified.seq}\nhead: {verified.head}\n"
            f"digest: {verified.digest or 'no ledger yet'}\nentries: {verified.entries}\n"
            f"Keep this message. To compare: showcost verify --head {verified.head}",
            {"head_of_audit_log": facts},
        )
        sinks = [sink for sink in production.alerts.sinks if not isinstance(sink, LogSink)]
        outcomes |= send_all([(sink, message) for sink in sinks], log, resolver)
    line = json.dumps({"production": production.code, **facts}, ensure_ascii=False) + "\n"
    if policy.head_file is not None:
        outcomes["file"] = _appended(policy.head_file, line)
    if policy.command_variable is not None:
        outcomes["command"] = _handed_over(policy.command_variable, line, workspace.path)
    for target, reason in outcomes.items():
        if reason is not None:
            log(f"the head of the audit log was not sent to {target}: {reason}")
    return [SentHead(now, verified.seq, verified.head, target, reason) for target, reason in outcomes.items()]


def _appended(name: str, line: str) -> str | None:
    """Append a line to a file, which is never read or replaced; return why that failed."""
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o644)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def _handed_over(variable: str, line: str, folder: Path) -> str | None:
    """Give a line to the program that a variable names; return why that failed."""
    try:
        command = shlex.split(os.environ.get(variable, ""))
        if not command:
            return f"{variable} is not set in the environment"
        ended = subprocess.run(  # noqa: S603 - named by the environment, not by the data folder; no shell
            command,
            input=line.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
            cwd=folder,
        )
    except ValueError:
        return f"{variable} is not a command"
    except subprocess.TimeoutExpired:
        return f"the program did not end within {_SECONDS} s"
    except OSError as error:
        return f"the program cannot be started ({error.strerror})"
    return None if ended.returncode == 0 else f"the program ended with status {ended.returncode}"
