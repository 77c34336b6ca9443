"""One run at a time on a result: locks, and what a worker asks before it writes."""
