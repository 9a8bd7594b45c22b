"""Parsing the text of cells as dates, times and amounts.

The meaning of a cell is inferred per column over the whole delivery and never guessed: a cell that can be
read in two ways, in a column that proves neither, is left unread and marked "ambiguous". The meaning of the
columns, and the fate of a row with an unread cell, are decided elsewhere.
"""
