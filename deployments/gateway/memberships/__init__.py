"""Plans, memberships and their ledger."""
