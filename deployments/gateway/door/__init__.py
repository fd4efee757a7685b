"""Scans, visits, roll call, head counts, uploads of offline doors."""
