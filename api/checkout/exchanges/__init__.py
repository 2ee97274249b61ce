"""Exchange: units of another variant are bought, and those that are there already are sent back."""
