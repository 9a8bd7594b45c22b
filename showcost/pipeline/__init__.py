"""The steps of a cost, in the order of the flow, each over a data folder, a feed and a span of dates."""
