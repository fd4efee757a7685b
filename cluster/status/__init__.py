"""`fitmonitor status`: queries each service of a stack and shows the results."""
