"""What the clinic says about its own work, edited by staff: opening hours, holidays, phones that ring."""
