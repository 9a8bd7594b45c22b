"""Property tests: what a stranger sends costs its own feed or vendor alone."""
