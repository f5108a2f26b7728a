"""Noticing that the line has stopped working although its processes live."""
