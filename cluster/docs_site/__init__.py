"""What makes the site of `make docs` out of README and docs/."""
