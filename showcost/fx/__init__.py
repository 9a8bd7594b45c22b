"""Foreign exchange: published rates, one immutable snapshot of them per date, and exact conversion.

`history` and `parsing` hold what a source published, `sources` gets it, `calendar` knows the days on
which it must publish, `snapshots` says which rates are in force on a date and pins them, `conversion`
applies them, `checks` doubts them. Nothing here knows feeds, rows or the ledger; a reason code is the
validation's business, a status is ours.
"""
