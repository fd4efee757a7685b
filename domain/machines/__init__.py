"""Training machines of a gym."""
