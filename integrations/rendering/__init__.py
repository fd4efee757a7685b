"""Renders documents for people: invoices, labels, passes, tables."""
