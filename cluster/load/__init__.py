"""Load for a running stack: a benchmark and a simulated peak hour, with every answer checked.

`seeding` writes the gyms and members of a `world`. The benchmark plans all scans ahead (`benchmark.scan_plan`) and
sends them from a process of its own (`generator`); in the rush each visitor's next scan depends on the answer to the
one before (`rush.visit`). Both write scans with `scans`, know the right answer to each from `oracle`, and at the end
compare the store with all answers (`invariants`).
"""
