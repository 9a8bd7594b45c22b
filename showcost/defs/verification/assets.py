"""The asset of the nightly verification, with its check."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa
from dagster_shared.check import CheckError

from showcost.alerts.heads import send_head
from showcost.alerts.sending import send_open
from showcost.checks.ledger import FRESH_WITHIN
from showcost.checks.nightly import (
    NightlyVerification,
    SentHead,
    is_verified,
    record_lines,
    verify_nightly,
)
from showcost.components import naming
from showcost.components.checks import whole_check
from showcost.components.freshness import every_morning
from showcost.components.metadata import column_schema, counts_table
from showcost.components.resources import DataFolder, plain_failures
from showcost.components.run_alerts import AlertSources, check_keys
from showcost.config.production import Production
from showcost.validation.columns import ColumnInfo
from showcost.workspace import definitions_workspace

_COLUMNS = (
    ColumnInfo("target", pa.string(), "sink, file or command that the head was sent to", nullable=False),
    ColumnInfo("outcome", pa.string(), "time at which it was sent, or the reason why not", nullable=False),
)


@dg.definitions
def nightly_verification() -> dg.Definitions:
    """Build the asset and its check."""
    return dg.Definitions(
        assets=[_verification(definitions_workspace().production)],
        asset_checks=[
            whole_check(
                asset=naming.VERIFICATION,
                name="verified",
                description="Nothing differs from the audit log, and the log has the head of the last good "
                "verification.",
                evaluate=is_verified,
            )
        ],
    )


def _verification(production: Production) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.VERIFICATION,
        deps=[naming.LEDGER_ENTRIES],
        description="The verification of the data folder, as `showcost verify`: everything if it changed "
        "since the last good one or was not read for `verification.full_days`, otherwise the audit log, the "
        "digest and the files' times. The head of the audit log is sent where `verification.head_to` says, "
        "and then what is open is sent as alerts.",
        group_name=naming.LEDGER,
        kinds={"duckdb"},
        owners=list(production.owners),
        tags={"showcost/stage": naming.LEDGER},
        backfill_policy=dg.BackfillPolicy.single_run(),
        freshness_policy=every_morning(production, FRESH_WITHIN),
        metadata={"dagster/column_schema": column_schema(_COLUMNS)},
    )
    def verification(context: dg.AssetExecutionContext, data: DataFolder) -> dg.MaterializeResult[None]:
        now = datetime.now(UTC)
        with plain_failures():
            workspace = data.workspace()
            verified = verify_nightly(workspace, now)
            # Sent before it is recorded: a disk that takes no writes must not keep the head here.
            sent = send_head(workspace, verified, now, context.log.warning)
            record_lines(workspace, verified, *sent)
            sources = AlertSources(workspace, context.instance, _checks(context))
            outcome = send_open(
                workspace,
                lambda state: sources.find_without_ledger(state, now),
                now,
                context.log.warning,
            )
        return dg.MaterializeResult(metadata=_metadata(verified, sent) | {"open_alerts": len(outcome.alerts)})

    return verification


def _checks(context: dg.AssetExecutionContext) -> list[dg.AssetCheckKey]:
    """Return the keys of all checks; none in a run within a command, which has no repository."""
    try:
        return check_keys(context.repository_def.asset_graph.asset_check_keys)
    except CheckError:
        return []


def _metadata(verified: NightlyVerification, sent: list[SentHead]) -> dict[str, Any]:
    rows = [(head.target, head.reason or f"sent at {head.at:%Y-%m-%d %H:%M} UTC") for head in sent]
    return {
        "verified": verified.verified,
        "everything_was_read": verified.full,
        "last_read_in_full": verified.full_at.isoformat(timespec="seconds"),
        "audit_record": verified.seq,
        "head": verified.head,
        "digest": verified.digest or "no ledger yet",
        "entries": verified.entries,
        "head_sent": counts_table(["target", "outcome"], rows)
        if rows
        else "nowhere: name a webhook or a mail server in `alerts`, or `head_to` in `verification`",
    }
