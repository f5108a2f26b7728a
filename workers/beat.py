"""What ``celery -A workers.beat beat`` runs: it sends wake-ups and knows no task."""

from workers.broker import celery_app

app = celery_app()
