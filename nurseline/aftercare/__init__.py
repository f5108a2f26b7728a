"""Injections and the three messages that follow each."""
