"""What the work amounted to: figures of a day or a month, and charts of them. Reads, never writes."""
