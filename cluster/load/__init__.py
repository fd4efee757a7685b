"""Load on a running stack: a benchmark, and a simulated peak hour."""
