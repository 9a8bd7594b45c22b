"""The reports: cost report and trial balance, with the checks of their totals."""
