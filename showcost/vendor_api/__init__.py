"""Vendor APIs, pulled by date and page by page within limits; each page is a delivery like any other.

From the inside out: `failures` classifies failures of requests; `guard` restricts the addresses
that may be reached; `limits` bounds rate, memory and retries; `client` sends requests to one vendor;
`windows` are ranges of dates, `pages` finds the next page; `progress` remembers how far each window was
pulled; `dead_letters` keeps the pages that failed; `page_store` stores and reads a page; `pool` does all
this for many vendors at once; `health` monitors it; `pull` is the entry point.
"""
