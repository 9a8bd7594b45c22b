"""Arrows point downwards only: what a module may import is decided by the layer that it belongs to."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import showcost

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

PACKAGE = Path(showcost.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the bottom up; layers of one line do not know each other.
ORDER: Final = (
    ("core",),
    ("values", "config", "staging", "fx", "audit", "deliveries", "simulator"),
    ("readers", "pay", "ledger"),
    ("workspace",),
    ("validation",),
    ("ingest",),
    ("vendor_api",),
    ("pipeline",),
    ("reconciliation",),
    ("reports",),
    ("checks",),
    ("alerts", "backup"),
    ("event_storage",),
    ("components",),
    ("defs",),
    ("definitions",),
    ("orchestration",),
    ("cli",),
)
LEVEL: Final = {layer: number for number, line in enumerate(ORDER) for layer in line}

# The steps of a cost inside `pipeline`, in the order of the flow: no step knows a later one.
FLOW: Final = ("raw_rows", "validation", "posting", "replay", "auto_rebook")

DAGSTER: Final = {"event_storage", "components", "defs", "definitions", "orchestration"}
HTTPX: Final = {"vendor_api", "fx.sources", "alerts.sinks"}


DAGSTER_MODULES: Final = {
    "showcost.orchestration.runs",
    "showcost.orchestration.events",
    "showcost.definitions",
}


def _name(path: Path) -> str:
    """Return a module's name without the package's, such as `fx.sources`; the package itself is empty."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _imports(path: Path) -> Iterator[str]:
    """Yield the dotted names of all that a module imports, in functions and for types too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield str(node.module)
            # `from showcost import ledger` imports a module as well.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _layers_of(path: Path) -> set[str]:
    """Return the layers of showcost that a module imports from."""
    parts = [name.split(".") for name in _imports(path)]
    return {part[1] for part in parts if part[0] == "showcost" and len(part) > 1}


def _knows(path: Path, library: str) -> bool:
    return any(name.split(".")[0] == library for name in _imports(path))


def _allowed(name: str, places: set[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def test_the_architecture_page_draws_the_same_order() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing = page.split("## Layers")[1].split("```")[1].strip().splitlines()
    rooms = [tuple(line[:58].split()) for line in drawing]
    assert rooms == list(reversed(ORDER))


def test_the_walk_of_one_amount_names_modules_that_exist() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    walk = page.split("## The walk of one amount")[1].split("\nCounted with")[0]
    modules = re.findall(r"`((?:[a-z_]+\.)+[a-z_]+)`", walk)
    names = {_name(path) for path in MODULES}
    assert len(modules) > len(ORDER)
    assert [name for name in modules if not any(f".{module}".endswith(f".{name}") for module in names)] == []


def test_every_layer_has_its_place() -> None:
    layers = {name.split(".")[0] for path in MODULES if (name := _name(path))}
    assert layers - LEVEL.keys() == set()


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_imports_from_its_own_layer_and_below(path: Path) -> None:
    own = _name(path).split(".")[0]
    above = {
        layer
        for layer in _layers_of(path)
        if own and layer != own and LEVEL.get(layer, len(ORDER)) >= LEVEL[own]
    }
    assert above == set()


@pytest.mark.parametrize("step", FLOW)
def test_a_step_of_the_pipeline_imports_no_later_step(step: str) -> None:
    later = {f"showcost.pipeline.{name}" for name in FLOW[FLOW.index(step) + 1 :]}
    assert later.isdisjoint(_imports(PACKAGE / "pipeline" / f"{step}.py"))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(("library", "places"), [("dagster", DAGSTER), ("httpx", HTTPX)])
def test_a_library_is_known_in_its_places_only(library: str, places: set[str]) -> None:
    knowing = {name for path in MODULES if _knows(path, library) and (name := _name(path))}
    assert {name for name in knowing if not _allowed(name, places)} == set()
    assert knowing, "a library that nobody imports needs no rule"


def _graph() -> dict[str, set[str]]:
    """Return the modules of showcost that each module imports, for types too.

    `from package import module` is an arrow to the module, not to the package.
    """
    names = {f"showcost.{name}" if (name := _name(path)) else "showcost": path for path in MODULES}
    return {name: set(_modules(path, names.keys())) - {name} for name, path in names.items()}


def _modules(path: Path, names: Collection[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in names else str(node.module)


def _circles(graph: Mapping[str, set[str]]) -> set[str]:
    """Return the modules in or between circles: neither end can be reached by taking modules away."""
    left = {name: set(imported) for name, imported in graph.items()}
    while done := {
        name
        for name, imported in left.items()
        if not imported & left.keys() or not any(name in others for others in left.values())
    }:
        for name in done:
            del left[name]
    return set(left)


def test_no_import_circle_is_left() -> None:
    assert _circles(_graph()) == set()


def test_the_search_sees_a_circle() -> None:
    assert _circles({"a": {"b"}, "b": {"a"}, "c": set()}) == {"a", "b"}


def test_no_room_holds_more_than_an_eighth_of_the_code() -> None:
    """A folder within a room, such as `readers/csv`, is a room of its own."""
    lines: dict[str, int] = {}
    for path in MODULES:
        folder = path.parent.relative_to(PACKAGE).as_posix()
        lines[folder] = lines.get(folder, 0) + len(path.read_text(encoding="utf-8").splitlines())
    assert {folder: count for folder, count in lines.items() if count > sum(lines.values()) / 8} == {}


def test_commands_load_dagster_only_when_they_run_it() -> None:
    """Dagster takes most of a second to import; `showcost status` must not pay for it."""
    for path in (path for path in MODULES if _name(path).split(".")[0] == "cli"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        eager = {str(node.module) for node in body if isinstance(node, ast.ImportFrom)}
        assert (
            eager & {"showcost.orchestration.runs", "showcost.orchestration.events", "showcost.definitions"}
            == set()
        )


def test_the_scan_sees_an_arrow_that_points_upwards(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "def late():\n    from showcost import cli\n"
        "    from showcost.defs.fx import assets\n    import dagster as dg\n"
    )
    assert _layers_of(module) == {"cli", "defs"}
    assert _knows(module, "dagster")
