"""Run a benchmark: `python -m benchmarks NAME [options]`, in the root folder of the repository."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.harness import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES: Final = (
    "encodings",
    "landing",
    "partitions",
    "pay",
    "posting",
    "proof",
    "pull",
    "queue",
    "reader",
    "reports",
    "stages",
    "ticks",
    "validation",
    "values",
)


def run(arguments: Sequence[str]) -> Report:
    """Run the benchmark named by the first argument and return its report.

    Only its module is imported, so that the memory of the other modules is not measured.
    """
    if not arguments or arguments[0] not in NAMES:
        _parser().parse_args(arguments[:1])
    name, *options = arguments
    benchmark = importlib.import_module(f"benchmarks.{name}")
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks {name}",
        description=benchmark.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    benchmark.add_options(parser)
    parsed = parser.parse_args(options)
    report = Report(name)
    benchmark.run(parsed, report)
    if parsed.json:
        parsed.json.write_text(json.dumps(report.as_json(), indent=2, default=str) + "\n", encoding="utf-8")
    return report


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, NAMES))
    listing = "\n".join(f"  {name:<{width}}  {_summary(name)}" for name in NAMES)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        usage="python -m benchmarks NAME [options]",
        description=f"Benchmarks; NAME --help shows the options of each.\n\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=NAMES, metavar="NAME", help="one of the benchmarks above")
    return parser


def _summary(name: str) -> str:
    source = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0].removesuffix(".")


if __name__ == "__main__":
    run(sys.argv[1:])
