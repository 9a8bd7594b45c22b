"""From the text of a cell to a date, a time or an amount.

What a cell means is settled per column over the whole delivery and never guessed: a cell that can be
read in two ways, in a column that proves neither, is left unread and says so. Which columns hold what,
and what becomes of a row with an unread cell, is decided elsewhere.
"""
