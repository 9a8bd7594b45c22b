"""Writers: they turn report tables into files and know no report."""
