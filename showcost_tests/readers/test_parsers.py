"""Agreement of block parser and record parser, record for record, byte for byte."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showcost.readers import Hints, read_delivery
from showcost.readers.csv import read_ahead as ahead
from showcost.readers.csv import table
from showcost.readers.csv.block_parser import BlockParser

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from showcost.readers import RecordCounts, Rejected
    from showcost.readers.csv.block_parser import BlockLines

Read = tuple["pa.Table", list["Rejected"], "RecordCounts", list[int]]
ROW = ["P1", "01/02/2025", "Müller & Co", "12.50"]
ODD = st.sampled_from(
    [
        'P1,01/02/2025,"Smith, Jones",1.00',
        'P1,01/02/2025,"two\nlines",2.00',
        'P1,01/02/2025,"say ""hi""",3.00',
        '"P1","01/02/2025","","4.00"',
        "",
        ",,,",
        " , , , ",
        "P1,01/02/2025,short",
        "P1,01/02/2025,a,b,c",
        'P1,01/02/2025,"open,5.00',
        'P1,01/02/2025,stray",6.00',
        'P1,"01/02"/2025,x,7.00',
        "Code,Date,Name,Amount",
        "A title,,,",
        "Code,Day,Who,Sum",
        ",lone,,",
        '"Code","Date","Name","Amount"',
        "P1,01/02/2025,x,8.00\r",
        "P1,01/02/2025,nul\0,9.00",
        'P1,01/02/2025,"",10.00',
        '"',
        '"",,,',
        "Total,,,99.00",
        'P1,01/02/2025,"""",11.00',
        'P1,01/02/2025,"a""",12.00',
        'P1,01/02/2025,"""a",13.00',
        "P1,01/02/2025,\u20ac\U0001f600,1.00",
        "P1,01/02/2025,a|b,2.00",
        "P1|,01/02/2025,|,3.00",
        '"P1"|,01/02/2025,x,4.00',
        '"P1|",|01/02/2025,"x||y",5.00',
        "P1,01/02/2025,\x1f,6.00",
    ]
)
ESCAPED = st.sampled_from(
    [
        'P1,01/02/2025,"Smith \\"Bo\\", Jones",1.00',
        "P1,01/02/2025,Smith\\, Jones,2.00",
        'P1,01/02/2025,"two\\\nlines",3.00',
        "P1,01/02/2025,two\\\nlines,4.00",
        'P1,01/02/2025,"ends with \\\\",5.00',
        'P1,01/02/2025,"open \\",6.00',
        'P1,01/02/2025,stray \\" quote,7.00',
        "P1,01/02/2025,C:\\new,8.00",
        'P1,01/02/2025,"say ""hi"" \\"there\\"",9.00',
        "A title\\,,,",
        "\\",
        "P1,01/02/2025,last,10.00\\",
    ]
)


def read(path: Path, delimiter: str = ",", escape: str = "") -> Read:
    with read_delivery(path, hints=Hints(delimiter=delimiter, quote='"', escape=escape)) as reading:
        rows = reading.table()
        return rows, list(reading.rejected), reading.counts, [f.record for f in reading.footer]


def both(path: Path, payload: bytes, delimiter: str = ",", escape: str = "") -> tuple[Read, Read]:
    """Read with small blocks in the block parser, and with the record parser alone."""
    path.write_bytes(payload)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "BLOCK", 256)
        patch.setattr(ahead, "TAIL", 0)
        patch.setattr(table, "_WORTH_IT", 0.0)
        fast = read(path, delimiter, escape)
        patch.setattr(BlockParser, "parse", lambda *_: None)
        return fast, read(path, delimiter, escape)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.one_of(st.none(), ODD, ESCAPED), min_size=1, max_size=40),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-be"]),
    st.sampled_from([",", "||", "|~|", "\u00ac"]),
    st.sampled_from(["", "\\"]),
)
def test_both_parsers_agree(
    tmp_path: Path, lines: list[str | None], end: str, encoding: str, delimiter: str, escape: str
) -> None:
    plain = ",".join(ROW)
    body = ["Code,Date,Name,Amount", *([plain] * 3), *(plain if line is None else line for line in lines)]
    # Whole rows at the end keep out the footer, which is sought in the record parser only.
    text = (end.join([*body, *([plain] * 3)]) + end).replace(",", delimiter)
    by_block, by_record = both(tmp_path / "any", text.encode(encoding, "ignore"), delimiter, escape)
    assert by_block[0].to_pylist() == by_record[0].to_pylist()
    assert by_block[1:] == by_record[1:]


def test_lines_without_an_escape_go_through_the_block_parser_beside_those_with_one(tmp_path: Path) -> None:
    lines = [
        f'P{n},01/02/2025,"x \\" {n}",1.00' if n % 10 == 0 else f"P{n},01/02/2025,x,1.00" for n in range(500)
    ]
    path = tmp_path / "any"
    path.write_text("\n".join(["Code,Date,Name,Amount", *lines]), encoding="utf-8")
    taken = 0
    parse = BlockParser.parse

    def counted(parser: BlockParser, block: bytes, headers: tuple[bytes, ...]) -> BlockLines | None:
        nonlocal taken
        lines = parse(parser, block, headers)
        taken += 0 if lines is None else int(lines.sound.sum())
        return lines

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "TAIL", 0)
        patch.setattr(BlockParser, "parse", counted)
        rows = read(path, escape="\\")[0]
    assert rows.column("cells").to_pylist()[10] == ["P10", "01/02/2025", 'x " 10', "1.00"]
    assert (rows.num_rows, taken >= 400) == (500, True)


@pytest.mark.slow
def test_both_parsers_agree_on_a_long_file_with_broken_records(tmp_path: Path) -> None:
    pick = random.Random(1)  # noqa: S311 -- repeatable, no secret
    lines = ["Code,Date,Name,Amount"]
    for number in range(3000):
        lines.append(f'P{number},01/02/2025,"Name, {number}",{number}.00')
        if pick.random() < 0.02:
            lines.append(
                pick.choice(['P,"x,1', "P,1", 'P,01/02/2025,"a\nb",1.00', "", ",,,", 'P,a"b,c,1.00'])
            )
    by_block, by_record = both(tmp_path / "any", "\n".join(lines).encode())
    assert (
        by_block[0].equals(by_record[0].combine_chunks())
        or by_block[0].to_pylist() == by_record[0].to_pylist()
    )
    assert by_block[1:] == by_record[1:]


def test_blocks_and_workers_do_not_change_the_result(tmp_path: Path) -> None:
    pick = random.Random(3)  # noqa: S311 -- repeatable, no secret
    odd = [
        'P,01/02/2025,"x,1',
        "P,1",
        'P,01/02/2025,"a\nb, c",1.00',
        "",
        ",,,",
        'P,a"b,c,1.00',
        "Code,Date,Name,Amount",
        "\r\nA title,,,\r\nCode,Day,Who,Sum",
        "P1,01/02/2025,Caf\u00e9,8.00",
    ]
    lines = ["Code,Date,Name,Amount"]
    for number in range(20_000):
        lines.append(f'P{number},01/02/2025,"Name, {number}",{number}.00')
        if pick.random() < 0.05:
            lines.append(pick.choice(odd))
    lines += ["Code,Date,Name,Amount", *["P,01/02/2025,x,1.00"] * 30, "Total,,,200.00", "Printed on Monday"]
    path = tmp_path / "any"
    path.write_bytes("\r\n".join(lines).encode("cp1252"))
    readings = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "TAIL", 1024)
        for block, workers in [(2**30, 1), (2**21, 1), (2**21, 4), (60_001, 2), (3_000, 3), (2_048, 1)]:
            patch.setattr(ahead, "BLOCK", block)
            patch.setattr(ahead, "WORKERS", workers)
            readings.append(read(path))
    assert len(readings[0][3]) == 2
    assert all(alike(reading, readings[0]) for reading in readings[1:])


def alike(left: Read, right: Read) -> bool:
    records = [rows.combine_chunks().to_batches()[0] for rows in (left[0], right[0])]
    return records[0].equals(records[1]) and left[1:] == right[1:]


def test_blocks_do_not_change_where_a_file_is_abandoned(tmp_path: Path) -> None:
    pick = random.Random(4)  # noqa: S311 -- repeatable, no secret
    lines = ["Code,Date,Name,Amount", *["P,01/02/2025,x,1.00"] * 500]
    lines += [pick.choice(["P,01/02/2025,x,1.00", "P,1", "P,1", 'P,"x']) for _ in range(3_000)]
    path = tmp_path / "any"
    path.write_text("\n".join(lines), encoding="utf-8")
    readings = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "TAIL", 0)
        patch.setattr(table, "_HOPELESS", 400)
        patch.setattr(table, "_WORTH_IT", 0.0)
        for block in (128, 1_000, 4_000, 2**21):
            patch.setattr(ahead, "BLOCK", block)
            readings.append(read(path))
    assert "the rest of the delivery" in readings[0][1][-1].detail
    assert all(alike(reading, readings[0]) for reading in readings[1:])
