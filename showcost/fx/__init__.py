"""Foreign exchange: published rates, one immutable snapshot of them per date, and exact conversion.

`sources` gets rate files, `parsing` reads them into a `history`, `calendar` has the days on which the ECB
must publish, `snapshot_plan` determines the rates in force on a date, `pinned_snapshots` pins them,
`conversion` applies them, `checks` looks for anomalies. Nothing here depends on feeds, rows or the
ledger; rates have a status here, and validation maps it to a reason code.
"""
