"""Machines: what stands in a gym."""
