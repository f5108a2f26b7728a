"""Contacts, conversations, calls, and the outbox that sends every message exactly as planned."""
