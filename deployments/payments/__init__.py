"""Plans, memberships, orders, invoices, and events of the payment provider."""
