"""The runbook has a line for every check and every automation that people meet in the UI."""

from __future__ import annotations

from showcost_tests.defs.loading import HOMES, load
from showcost_tests.sample.truth import REPOSITORY


def test_the_runbook_says_what_to_do_about_every_check() -> None:
    runbook = (REPOSITORY / "docs" / "runbook.md").read_text(encoding="utf-8")
    definitions = [load(HOMES[home]) for home in ("sample", "vendor_apis")]
    names = {key.name for each in definitions for key in each.resolve_asset_graph().asset_check_keys}
    automations = {
        automation.name
        for each in definitions
        for automation in (*(each.sensors or ()), *(each.schedules or ()))
    }
    assert len(names) > 1
    assert len(automations) > 1
    for name in names | automations:
        assert f"`{name}`" in runbook, name
