"""Machines, their pictures and labels, and their use."""
