"""All that a stack keeps, in one file, and back again into an empty stack."""
