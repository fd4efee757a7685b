"""A simulated peak hour: people at the gates of a running stack, and whether every answer was right."""
