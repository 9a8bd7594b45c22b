"""Qualified spend: every cost under the incentive programmes that a production claims."""

from showcost.reports.incentives.qualified_spend import SpendOptions, qualified_spend

__all__ = ["SpendOptions", "qualified_spend"]
