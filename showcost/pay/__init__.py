"""Pay rules: payroll rows checked against the agreements in force for them.

The engine knows kinds of rule (`showcost.config.agreements.rule_kinds`) and no guild. Numbers are whole
numbers throughout. Rules over single rows are in `checker`, those over neighbouring days in `findings`.
"""
