"""The reason why a sensor requests reports: what Dagster's conditions do to an update at the wrong time.

If this fails after an upgrade of Dagster, decision 31 can be taken anew.
"""

from __future__ import annotations

import dagster as dg


@dg.asset
def ledger() -> None: ...


@dg.asset(deps=[ledger], automation_condition=dg.AutomationCondition.eager())
def report() -> None: ...


DEFINITIONS = dg.Definitions([ledger, report])


def test_an_update_between_a_request_and_the_next_tick_is_lost() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = None
        requested = []
        updates = (0, 1, 1, 0, 0)
        for updated in updates:
            for _ in range(updated):
                dg.materialize([ledger], instance=instance)
            result = dg.evaluate_automation_conditions(DEFINITIONS, instance, cursor=cursor)
            cursor = result.cursor
            requested.append(result.get_num_requested(report.key))
            if requested[-1]:
                # Its run has read the ledger as it was, and ends before the next update is seen.
                dg.materialize([ledger, report], instance=instance, selection=[report])
    assert requested == [0, 1, 0, 0, 0], "the second update asks for nothing: the report stays old"
