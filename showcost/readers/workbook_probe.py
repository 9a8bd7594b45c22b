"""A first reading of a workbook in a process of its own, whose death costs nothing but the workbook.

The library reserves a place for every cell between the first and the last: two cells in opposite corners of
a sheet ask for hundreds of gigabytes, and the process ends. So a process with bounds of memory and time opens
every sheet first. Where the system has no such bounds, time is the only one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from showcost.readers.source import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.readers.model import Limits

_TOO_LARGE: Final = 3

_SCRIPT: Final = f"""
import sys
path, memory, seconds, most = sys.argv[1], *map(int, sys.argv[2:])
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except ImportError:
    pass
from python_calamine import CalamineError, CalamineWorkbook
try:
    book = CalamineWorkbook.from_path(path)
    for name in book.sheet_names:
        sheet = book.get_sheet_by_name(name)
        rows, columns = sheet.total_height + 1, sheet.total_width + 1
        if rows * columns > most:
            print(f"{{rows:,}} rows by {{columns:,}} columns")
            sys.exit({_TOO_LARGE})
except (CalamineError, OSError, ValueError):
    pass  # The reading itself says so.
"""


def require_readable(path: Path, limits: Limits) -> None:
    """Raise UnreadableError for a workbook that cannot be opened within the limits of a reading."""
    # The plain bytes of an encrypted payload are a file of this process.
    opened = str(path).replace("/proc/self/", f"/proc/{os.getpid()}/", 1)
    bounds = (limits.workbook_memory_bytes, limits.workbook_seconds, limits.sheet_cells)
    try:
        ended = subprocess.run(  # noqa: S603 - our own script, without a shell
            [sys.executable, "-I", "-c", _SCRIPT, opened, *map(str, bounds)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=limits.workbook_seconds * 2,
        )
    except subprocess.TimeoutExpired:
        raise UnreadableError(f"the workbook takes longer than {limits.workbook_seconds} s to open") from None
    if ended.returncode == _TOO_LARGE:
        size = ended.stdout.decode().strip()
        raise UnreadableError(f"a sheet of the workbook has {size}, more than {limits.sheet_cells:,} cells")
    if ended.returncode:
        raise UnreadableError("the workbook cannot be opened within the limits of memory and time")
