"""Reconciliation of bank and vendor statements with the documents of the ledger."""

from showcost.reports.statements.report import StatementOptions, StatementReport, reconcile_statement

__all__ = ["StatementOptions", "StatementReport", "reconcile_statement"]
