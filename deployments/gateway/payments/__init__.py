"""Orders, refunds, payments at the desk, invoices, webhooks."""
