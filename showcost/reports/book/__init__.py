"""The book: a report as pages for a browser, from each figure down to the raw text, without a network."""
