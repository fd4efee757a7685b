"""A member's passes, and the keys that verify them."""
