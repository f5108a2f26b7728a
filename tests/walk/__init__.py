"""One walk over every call: the graph of what callers hear and where each key, word or silence leads."""
