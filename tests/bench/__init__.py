"""`make bench`: how fast delivery is, each figure as a ratio to a baseline of the same run."""
