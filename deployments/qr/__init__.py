"""Passes: issues them, and says what a scanned one is. Decides nothing about anybody's way in."""
