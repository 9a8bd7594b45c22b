"""Vendor APIs: asked by date, page by page, within bounds; what arrives is a delivery like any other.

From the inside out: `failures` says what can go wrong and whether it may pass; `guard` where may be connected
to; `limits` how much at once; `client` asks one vendor; `windows` are dates, `pages` finds the next page;
`journal` remembers how far each window got; `dead_letters` keeps what could not be had; `flushing` stores and
reads a page; `pool` does all this for many vendors at once; `watch` observes it; `pull` is the one way in.
"""
