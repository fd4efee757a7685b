"""Documents drawn for people: invoices, labels, passes, tables."""
