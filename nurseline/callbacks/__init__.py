"""The queue of what a person must do: items, claims, outcomes, promises."""
