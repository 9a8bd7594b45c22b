"""Measure time, peak memory and rows per second, and report them as text and JSON."""

from __future__ import annotations

import resource
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

REPOSITORY: Final = Path(__file__).resolve().parents[1]
SAMPLE: Final = REPOSITORY / "data"

_STATUS: Final = Path("/proc/self/status")


@dataclass
class Measurement:
    """One measurement.

    Times are in seconds; `peak_mib` is the peak resident memory of its process so far, in MiB. `results` are
    the results of the work: counts, digests, ratios.
    """

    label: str
    rows: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: int = 0
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def rows_per_second(self) -> int:
        """Rows per second of elapsed time; 0 if no rows were counted."""
        return round(self.rows / self.seconds) if self.rows else 0

    def __str__(self) -> str:
        speed = f"{self.rows_per_second:14,} rows/s" if self.rows else " " * 21
        figures = f"{self.label:<44}{self.seconds:9.2f} s{speed}{self.peak_mib:8,} MiB"
        return f"{figures}  {_text(self.results)}".rstrip()

    def as_json(self) -> dict[str, Any]:
        """Return all figures by name."""
        return asdict(self) | {"rows_per_second": self.rows_per_second}


@contextmanager
def _measured(label: str, rows: int) -> Iterator[Measurement]:
    """Measure a block, which may add results."""
    measurement = Measurement(label, rows)
    started, started_cpu = time.perf_counter(), time.process_time()
    yield measurement
    measurement.seconds = time.perf_counter() - started
    measurement.cpu_seconds = time.process_time() - started_cpu
    measurement.peak_mib = peak_mib()


class Report:
    """Measurements and results of a benchmark, printed as they are added."""

    def __init__(self, benchmark: str) -> None:
        self.benchmark = benchmark
        self.measurements: list[Measurement] = []
        self.results: dict[str, dict[str, Any]] = {}

    @contextmanager
    def timed(self, label: str, rows: int = 0) -> Iterator[dict[str, Any]]:
        """Measure a block, which may add results to the dictionary that it is given."""
        with _measured(label, rows) as measurement:
            yield measurement.results
        self._add(measurement)

    def best_of(self, runs: int, label: str, work: Callable[[], Mapping[str, Any]], rows: int) -> None:
        """Measure a function, which returns its results, several times and keep the shortest run."""
        trials = [_measured_work(label, rows, work, ()) for _ in range(runs)]
        self._add(min(trials, key=lambda trial: trial.seconds))

    def in_process(
        self, label: str, work: Callable[..., Mapping[str, Any]], *arguments: object, rows: int = 0
    ) -> Measurement:
        """Measure a module-level function, which returns its results, in a new process."""
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            measurement = pool.submit(_measured_work, label, rows, work, arguments).result()
        return self._add(measurement)

    def note(self, label: str, **results: object) -> None:
        """Add results without a measurement, such as ratios."""
        self.results[label] = results
        print(f"  {label}: {_text(results)}", flush=True)

    def shortest(self, label: str) -> float:
        """Return the shortest time of the measurements with this label, in seconds."""
        return min(measurement.seconds for measurement in self.measurements if measurement.label == label)

    def results_of(self, label: str) -> dict[str, Any]:
        """Return the results of the last measurement with this label."""
        return [measurement.results for measurement in self.measurements if measurement.label == label][-1]

    def as_json(self) -> dict[str, Any]:
        """Return all measurements and results."""
        measurements = [measurement.as_json() for measurement in self.measurements]
        return {"benchmark": self.benchmark, "measurements": measurements, "results": self.results}

    def _add(self, measurement: Measurement) -> Measurement:
        self.measurements.append(measurement)
        print(measurement, flush=True)
        return measurement


def _measured_work(
    label: str, rows: int, work: Callable[..., Mapping[str, Any]], arguments: tuple[object, ...]
) -> Measurement:
    with _measured(label, rows) as measurement:
        measurement.results |= work(*arguments)
    return measurement


def _text(results: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {f'{value:,}' if type(value) is int else value}"
        for name, value in results.items()
    )


def peak_mib() -> int:
    """Return the peak resident memory of this process, in MiB.

    On Linux it is read from /proc: `ru_maxrss` includes memory of the parent process at the fork.
    """
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) >> 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> 20 if sys.platform == "darwin" else peak >> 10


def copy_production(source: Path, folder: Path) -> None:
    """Copy settings, chart of accounts and budget of a production to a data folder."""
    for name in ("production.yaml", "chart_of_accounts.csv", "budget.csv"):
        shutil.copyfile(source / name, folder / name)
