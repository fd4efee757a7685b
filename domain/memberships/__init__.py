"""Plans, memberships, and what they allow."""
