"""The pages, one file per thing that staff work with."""
