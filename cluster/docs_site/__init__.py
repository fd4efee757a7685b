"""Builds the documentation site (`make docs`) from README and docs/."""
