"""The command line `fitmonitor`, one module per group of commands."""
