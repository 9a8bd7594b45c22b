"""The sealed pack: all files of a report in a folder, with a manifest that names each and its sha256."""
