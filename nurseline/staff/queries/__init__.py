"""What the pages show, read from the database in a few statements each."""
