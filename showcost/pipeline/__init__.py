"""The steps of a cost in the order of the flow, each for a workspace, a feed and a range of dates."""
