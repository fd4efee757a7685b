"""How a stack is, asked of each of its parts: `fitmonitor status`."""
