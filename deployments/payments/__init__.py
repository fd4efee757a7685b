"""Plans, orders, memberships, invoices: everything about money."""
