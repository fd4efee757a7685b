"""The outside world, one module each, behind the ports of the domain."""
