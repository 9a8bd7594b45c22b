"""When work happens by itself: the job over all partitions, its schedule, and the inbox sensor."""
