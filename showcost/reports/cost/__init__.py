"""The cost report and the tables that belong to it, each a function of a `ReportBasis`."""
