"""Orders, fulfilment, refunds, disputes, invoices."""
