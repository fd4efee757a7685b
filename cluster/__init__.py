"""How the system is started, on one machine or many, and the command line."""
