"""Pictures of the staff pages for the documentation."""
