"""Encodings: a file gives the same text whatever it was written in, or is refused with a clear code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from benchmarks.encodings import NAMES
from showcost.core.languages import LANGUAGES, languages_of_country
from showcost.readers import Hints, read_delivery
from showcost.readers.encodings import detection
from showcost.readers.encodings.detection import Words
from showcost.readers.encodings.families import encodings
from showcost.readers.encodings.likelihood import letter_tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hypothesis.strategies import DrawFn

HEADER = "Supplier,Invoice,Date,Amount"
POLISH = ("Łódź Film", "Józef Wiśniewski", "Źródło Rekwizyty", "Święto Lasu")


def listed(names: Sequence[str], end: str = "\n") -> str:
    rows = (f"{name},R{at},2026-10-05,{at}.50" for at, name in enumerate(names))
    return end.join([HEADER, *rows, ""])


def outcome(path: Path, payload: bytes, hints: Hints) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the suppliers, and the codes and details of what was rejected."""
    path.write_bytes(payload)
    with read_delivery(path, hints=hints) as reading:
        rows = [row[0] for batch in reading.records for row in batch.column("cells").to_pylist()]
        return rows, [(item.code, item.detail) for item in reading.rejected]


@pytest.mark.parametrize(
    ("language", "names", "names_of"),
    [
        ("en", ("Café Rouge", "O\u2019Brien\u2019s Catering", "Fee £250"), ("cp1252", "mac-roman")),
        ("en", ("Café Rouge", "Fee £250", "Zoë Ltd"), ("cp1252", "cp850", "cp437", "mac-roman", "cp858")),
        (
            "de",
            ("Müller Bühnenbau", "Weiß Verleih", "Jürgen Förster"),
            ("cp1252", "cp850", "cp437", "mac-roman"),
        ),
        ("fr", ("Élodie Lefèvre", "Ça Tourne", "Théâtre"), ("cp1252", "iso-8859-15", "cp850", "mac-roman")),
        ("es", ("Señor Muñoz", "Cámaras Ibáñez", "Diseño"), ("cp1252", "iso-8859-15", "cp850", "cp437")),
        ("pl", POLISH, ("cp1250", "iso-8859-2", "cp852", "mac_latin2")),
        ("cs", ("Dvořák Kamery", "Půjčovna", "Jiří Němec"), ("cp1250", "iso-8859-2", "cp852", "mac_latin2")),
        ("hu", ("Szőke Kamera", "Győr", "Fűtő Gyula"), ("cp1250", "iso-8859-2", "cp852")),
        ("ru", ("Иванова Мария", "Студия Свет", "Звук"), ("cp1251", "koi8-r", "cp866", "mac-cyrillic")),
        ("uk", ("Юрій Їжакевич", "Київ Кіно", "Єлизавета"), ("cp1251", "koi8-u", "cp1125")),
        ("el", ("Φωτισμός Αθήνα", "Ήχος και Φως"), ("cp1253", "iso-8859-7", "cp737")),
        (
            "tr",
            ("I\u015f\u0131k Kiralama", "Güneş Kamera", "Ça\u011fr\u0131"),
            ("cp1254", "iso-8859-9", "cp857"),
        ),
        ("ja", ("東京撮影所", "田中カメラ", "ソニー表"), ("cp932", "euc_jp", "iso2022_jp")),
        ("zh", ("北京摄影器材有限公司", "上海灯光租赁"), ("gb18030", "gbk")),
        ("zh", ("臺北攝影器材有限公司", "高雄燈光租賃"), ("big5", "cp950")),
        ("ko", ("서울촬영소", "한빛조명"), ("euc_kr", "cp949")),
        ("lt", ("Šviesų Nuoma", "Žalgirio Kinas"), ("cp1257", "iso-8859-13")),
        ("he", ("תאורה כהן", "מלון דן"), ("cp1255", "iso-8859-8", "cp862")),
    ],
)
def test_a_list_gives_the_same_names_in_every_encoding_of_its_language(
    tmp_path: Path, language: str, names: tuple[str, ...], names_of: tuple[str, ...]
) -> None:
    text = listed(names)
    for encoding in (*names_of, "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        for stated in ((language,), ()):
            rows, rejected = outcome(tmp_path / "any", text.encode(encoding), Hints(languages=stated))
            if stated or not rejected:
                assert (rows, rejected) == (list(names), []), (encoding, stated)
            assert {code for code, _ in rejected} <= {"SC-FIL-005"}


def test_the_pound_of_dos_is_known_in_a_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "any"
    path.write_bytes("Supplier,Amount (£)\r\nACME,12.50\r\n".encode("cp850"))
    with read_delivery(path) as reading:
        assert reading.header == ("Supplier", "Amount (£)")
        assert reading.table().num_rows == 1


def test_an_encoding_that_is_not_certain_refuses_the_file(tmp_path: Path) -> None:
    path, payload = tmp_path / "any", listed(["CONSTRUCCI\u00d3N S\u00d5E"]).encode("cp1252")
    rows, rejected = outcome(path, payload, Hints())
    assert rows == []
    ((code, detail),) = rejected
    assert code == "SC-FIL-005"
    assert "state `encoding` or `languages` in the feed" in detail
    assert outcome(path, payload, Hints(encoding="cp1252")) == (["CONSTRUCCIÓN SÕE"], [])
    assert outcome(path, payload, Hints(languages=("pt",))) == (["CONSTRUCCIÓN SÕE"], [])
    assert outcome(path, payload, Hints(encoding="cp1250")) == (["CONSTRUCCIÓN SŐE"], [])


def test_a_user_who_looks_at_a_file_sees_the_likeliest_text_and_a_note(tmp_path: Path) -> None:
    path = tmp_path / "any"
    path.write_bytes(listed(["CONSTRUCCI\u00d3N S\u00d5E"]).encode("cp1252"))
    with read_delivery(path, hints=Hints(as_written=True)) as reading:
        assert reading.table().num_rows == 1
        assert not reading.dialect.encoding_sure
        assert any("it may be garbled" in note for note in reading.dialect.assumptions)


def test_bytes_that_are_text_in_no_encoding_refuse_the_file(tmp_path: Path) -> None:
    noise = listed([bytes(range(0x80, 0x100, 3)).decode("latin-1"), "\xff\x81\x9d\xfe"]).encode("latin-1")
    rows, rejected = outcome(tmp_path / "any", noise, Hints())
    assert (rows, [code for code, _ in rejected]) == ([], ["SC-FIL-005"])


@pytest.mark.parametrize(
    ("text", "encoding", "stated"),
    [
        ("Caf\x85 Ltd", "utf-8", None),
        ("Caf\x9f Ltd", "iso-8859-1", "iso-8859-1"),
        ("Caf\x92s\nand more", "utf-8", None),
    ],
)
@pytest.mark.parametrize("others", [2, 5_000])
def test_control_characters_beyond_ascii_cost_their_record(
    tmp_path: Path, text: str, encoding: str, stated: str | None, others: int
) -> None:
    names = [f"ACME {at}" for at in range(others)]
    payload = listed([*names, f'"{text}"', "Last"]).encode(encoding)
    rows, rejected = outcome(tmp_path / "any", payload, Hints(encoding=stated))
    assert rows == [*names, "Last"]
    assert rejected == [("SC-ROW-004", f"the record has bytes that are not text in {encoding}")]


def test_a_byte_that_windows_does_not_have_costs_its_record(tmp_path: Path) -> None:
    names = ("Café Rouge", "Zoë\u2019s Props", "Crème Brûlée")
    payload = listed(names).encode("cp1252") + b"Caf\x81,R9,2026-10-05,9.50\n"
    rows, rejected = outcome(tmp_path / "any", payload, Hints(languages=("en",)))
    assert (rows, [code for code, _ in rejected]) == (list(names), ["SC-ROW-004"])


def test_a_stray_byte_among_utf8_costs_its_record(tmp_path: Path) -> None:
    payload = listed(["Müller Bühne", "Jürgen Förster"]).encode() + b"Caf\xe9,R9,2026-10-05,9.50\n"
    rows, rejected = outcome(tmp_path / "any", payload, Hints())
    assert rows == ["Müller Bühne", "Jürgen Förster"]
    assert [code for code, _ in rejected] == ["SC-ROW-004"]


def test_a_stray_byte_among_shift_jis_costs_its_record(tmp_path: Path) -> None:
    payload = listed(["東京撮影所", "田中カメラ", "鈴木運送"]).encode("cp932") + b"K\xff,R9,2026-10-05,9.50\n"
    rows, rejected = outcome(tmp_path / "any", payload, Hints(encoding="shift_jis"))
    assert rows == ["東京撮影所", "田中カメラ", "鈴木運送"]
    assert [code for code, _ in rejected] == ["SC-ROW-004"]


def test_second_bytes_of_shift_jis_are_no_marks(tmp_path: Path) -> None:
    names = ["能力開発", "ソ|表", "十予"]
    text = "\n".join(['"Supplier"|"Amount"', *(f'"{name}"|"{at}.50"' for at, name in enumerate(names)), ""])
    rows, rejected = outcome(tmp_path / "any", text.encode("cp932"), Hints(languages=("ja",)))
    assert (rows, rejected) == (names, [])


@pytest.mark.parametrize("encoding", ["utf-7", "cp037", "utf-32", "nonsense"])
def test_an_encoding_that_is_not_supported_is_said(tmp_path: Path, encoding: str) -> None:
    rows, rejected = outcome(tmp_path / "any", listed(["ACME"]).encode(), Hints(encoding=encoding))
    assert (rows, [code for code, _ in rejected]) == ([], ["SC-FIL-001"])


@pytest.mark.parametrize("block", [50, 64, 1000])
def test_the_words_do_not_depend_on_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    path = tmp_path / "any"
    path.write_bytes(listed([name for names in NAMES.values() for name in names]).encode("utf-8"))
    whole = Words.of(detection._blocks(path))
    monkeypatch.setattr(detection, "_BLOCK", block)
    assert Words.of(detection._blocks(path)) == whole


def test_the_words_that_are_kept_depend_on_the_words_alone() -> None:
    lines = [f"caf\xe9{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)}\n" for n in range(5000)]
    forward = Words.of(line.encode("cp1252") for line in lines)
    assert Words.of(line.encode("cp1252") for line in reversed(lines)) == forward
    assert len(forward.words) == 400


def test_a_long_cell_takes_no_long_time(tmp_path: Path) -> None:
    payload = listed(["x" * 900_000, "\u00e9" * 900_000, "Caf\u00e9"]).encode("cp1252")
    rows, _ = outcome(tmp_path / "any", payload, Hints(languages=("fr",)))
    assert rows[-1] == "Café"


def test_every_language_has_encodings_and_letters() -> None:
    spoken = {language for _, languages in encodings().values() for language in languages}
    assert spoken == set(LANGUAGES)
    assert letter_tables().keys() == set(LANGUAGES)


@pytest.mark.parametrize(
    ("country", "languages"),
    [
        ("GB", ("en",)),
        ("ch", ("de", "fr", "it")),
        ("NO", ("nb",)),
        ("RS", ("sr", "hr")),
        ("XX", ()),
        ("", ()),
    ],
)
def test_a_country_has_its_official_languages(country: str, languages: tuple[str, ...]) -> None:
    assert languages_of_country(country) == languages


@st.composite
def vendor_lists(draw: DrawFn) -> tuple[str, str, str]:
    """Draw vendors whose names are put together from the words of a language, and one of its encodings."""
    name = draw(st.sampled_from(sorted(NAMES)))
    language = name.partition("_")[0]
    encoding = draw(st.sampled_from([key for key, (_, spoken) in encodings().items() if language in spoken]))
    words = [word for vendor in NAMES[name] for word in vendor.split() if _fits(word, encoding)]
    if not words:
        return language, encoding, ""
    vendors = draw(
        st.lists(st.lists(st.sampled_from(words), min_size=1, max_size=4).map(" ".join), min_size=1)
    )
    return language, encoding, listed(vendors)


def _fits(text: str, encoding: str) -> bool:
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeError:
        return False


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.slow
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(vendor_lists(), st.booleans())
def test_no_text_is_garbled_in_silence(tmp_path: Path, made: tuple[str, str, str], is_stated: bool) -> None:
    language, encoding, text = made
    hints = Hints(languages=(language,) if is_stated else ())
    payload = text.encode(encoding)
    # Bytes that are UTF-8 as well are read as UTF-8: two letters of Mac Latin 2 can be one of Thaana.
    assume(payload.isascii() or not _is_utf8(payload))
    rows, rejected = outcome(tmp_path / "any", payload or b"\n", hints)
    names = [line.split(",")[0] for line in text.splitlines()[1:]]
    assert rows == names or {code for code, _ in rejected} & {"SC-FIL-005", "SC-FIL-001", "SC-ROW-004"}


@pytest.mark.parametrize(
    ("name", "encoding", "stated"),
    [
        ("Dvořák", "mac_latin2", ("cs",)),
        ("Dvořák", "mac_latin2", ()),
        ("l\u2019été", "mac-roman", ("fr",)),
        ("l\u2019école", "mac-roman", ()),
        ("CAFÉ\u2019S", "cp1252", ("en",)),
        ("CZĘŚCI FILM", "cp1250", ("pl",)),
        ("PÓŁNOCNA", "iso-8859-2", ("pl",)),
        ("ALŽĪRIJA", "cp775", ("lv",)),
        ("카메라 치타", "cp949", ("ko",)),
        ("Кембриџ", "cp855", ("sr",)),
    ],
)
def test_bytes_that_are_utf8_by_chance_ask_a_person(
    tmp_path: Path, name: str, encoding: str, stated: tuple[str, ...]
) -> None:
    path, payload = tmp_path / "any", listed(["ACME", name, "Grip House"]).encode(encoding)
    rows, rejected = outcome(path, payload, Hints(languages=stated))
    if rejected:
        assert (rows, [code for code, _ in rejected]) == ([], ["SC-FIL-005"])
    else:
        assert rows[1] == name
    assert outcome(path, payload, Hints(encoding=encoding))[0][1] == name


@pytest.mark.parametrize(
    "names",
    [
        ("Café",),
        ("Fee £250",),
        ("Հայաստան",),
        ("საქართველო",),
        ("हिन्दी फ़िल्म",),
        ("Ərzurum Kino", "Bak\u0131"),
        ("Đỗ Thị Hương",),
        ("\U0001f3ac Clapper Ltd",),
        ("Ħal Qormi",),
        ("¡Acción!",),
        ("“Quoted”",),
        ("ΑΘΗΝΑ Ταβέρνα",),
        ("東京",),
    ],
)
@pytest.mark.parametrize("stated", [("en",), ()])
def test_words_of_any_script_in_utf8_are_certain(
    tmp_path: Path, names: tuple[str, ...], stated: tuple[str, ...]
) -> None:
    rows, rejected = outcome(tmp_path / "any", listed(["ACME", *names]).encode(), Hints(languages=stated))
    assert (rows, rejected) == (["ACME", *names], [])


@pytest.mark.parametrize("others", [2, 60_000])
@pytest.mark.parametrize(
    ("name", "read_in"),
    [
        ("Café Rouge", "cp1252"),
        ("Müller\u2019s", "cp1252"),
        ("Fee £250", "cp1252"),
        ("Gdańsk", "cp1250"),
        ("Звук", "cp1251"),
        ("Zoë", "mac-roman"),
        ("Jürgen", "cp850"),
        ("Muñoz", "cp437"),
    ],
)
def test_a_name_that_was_garbled_before_costs_its_record(
    tmp_path: Path, name: str, read_in: str, others: int
) -> None:
    garbled = name.encode().decode(read_in)
    names = ["Crème Brûlée", *(f"ACME {at}" for at in range(others))]
    path, payload = tmp_path / "any", listed([*names, garbled, "Last"]).encode()
    rows, rejected = outcome(path, payload, Hints())
    assert rows == [*names, "Last"]
    ((code, detail),) = rejected
    assert code == "SC-ROW-004"
    assert "garbled" in detail
    with read_delivery(path, hints=Hints(as_written=True)) as reading:
        assert reading.table().num_rows == len(names) + 2
        assert any(note.startswith("1 records may be garbled") for note in reading.dialect.assumptions)


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1252", ("Müller", "Jürgen Förster", "Weiß")),
        ("mac_latin2", ("Jiří Dvořák", "Půjčovna Světel", "Jiří Němec")),
        ("cp1251", ("Иванова Мария", "Студия Свет", "Звук")),
    ],
)
def test_a_row_of_utf8_in_a_file_of_another_encoding_is_not_garbled(
    tmp_path: Path, encoding: str, names: tuple[str, ...]
) -> None:
    payload = listed(names).encode(encoding) + f"{names[1]},R9,2026-10-05,9.50\n".encode()
    rows, rejected = outcome(tmp_path / "any", payload, Hints())
    codes = [code for code, _ in rejected]
    assert (rows, codes) in [(list(names), ["SC-ROW-004"]), ([], ["SC-FIL-005"])]


@pytest.mark.parametrize("name", ["SÃO PAULO", "NESTLÉ®", "MALMÖ™", "CAFÉ\u2013BAR", "À“B”", "ПІВ®", "Â"])
def test_rare_signs_behind_capitals_are_not_garbled(tmp_path: Path, name: str) -> None:
    rows, rejected = outcome(tmp_path / "any", listed(["Café", name, "Last"]).encode(), Hints())
    assert (rows, rejected) == (["Café", name, "Last"], [])
