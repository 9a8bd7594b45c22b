"""Personal cells of records that could not be read: they are masked before anything is stored of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from showcost.ingest.masking import PersonalPlaces
from showcost.readers.model import Dialect
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from pathlib import Path

    from showcost_tests.command_line import CommandLine

COMMAS = Dialect("utf-8", encoding_sure=True, delimiter=",", quote='"', escape="")
TAX_ID = "DE999000105"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("V1,Ltd,DE999000105,DE,10.00", "V1,Ltd,***,DE,10.00"),
        # One cell too many, before or after it.
        ("V1,Ltd, a company,DE999000105,DE,10.00", "V1,Ltd, ***,***,DE,10.00"),
        ("V1,Ltd,DE999000105,DE,10.00,x", "V1,Ltd,***,DE,10.00,x"),
        ("V1,DE999000105,DE,10.00", "V1,***,***,10.00"),
        ("V1,Ltd,DE999000105", "V1,Ltd,***"),
        ('V1,"Ltd, a company","DE999000105",DE,"DE999000105"', 'V1,"Ltd, a company","***",DE,"***"'),
        ("V1,Ltd,,DE,10.00", "V1,Ltd,,DE,10.00"),
    ],
)
def test_a_personal_cell_is_masked_where_it_may_be(raw: str, shown: str) -> None:
    assert PersonalPlaces((2,), 5).masked(raw, COMMAS) == shown


def test_a_tax_id_of_a_ragged_row_is_shown_nowhere(tmp_path: Path, showcost: CommandLine) -> None:
    workspace = small.make_home(tmp_path / "home")
    feed = "vendor_invoices_de"
    lines = small.german(small.FIRST).splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if TAX_ID in line)
    more = lines[place].rstrip("\r\n") + ";1;2\r\n"
    cells = lines[place].split(";")
    fewer = ";".join(cells[: cells.index(TAX_ID) + 1]) + "\r\n"
    small.deliver(workspace, feed, "1.csv", "".join([*lines[: place + 1], more, fewer, *lines[place + 1 :]]))
    land_all(workspace)
    take(workspace, small.WEEK)
    listed = showcost(workspace, "queue", "list", "--code", "SC-ROW-001", "--json").json["rows"]
    assert len(listed) == 2
    for row in listed:
        for options in ((), ("--json",)):
            shown = showcost(workspace, "queue", "show", row["id"], *options).out
            assert (TAX_ID in shown, "***" in shown) == (False, True)
