"""Pay rules: payroll rows held against the agreements in force for them.

The engine knows kinds of rule (`showcost.config.agreements.kinds`) and no guild. Numbers are whole numbers
throughout. Rules over single rows are in `judge`, those over neighbouring days in `neighbours`.
"""

from showcost.pay.judge import CHECKS, TERMS, PayJudge, judged_columns

__all__ = ["CHECKS", "TERMS", "PayJudge", "judged_columns"]
