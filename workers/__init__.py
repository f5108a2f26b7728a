"""Celery: the app, what beat asks for, and thin tasks that call services."""
