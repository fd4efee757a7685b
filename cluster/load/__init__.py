"""Load for a running stack: a benchmark and a simulated peak hour, with every answer checked.

Shared by both: `seeding` writes gyms and members, `http_client` and `generator` send scans, `oracle` and `invariants`
know the right answers.
"""
