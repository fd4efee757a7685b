"""The company that gyms and plans belong to, and that issues invoices."""
