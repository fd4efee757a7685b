"""The whole system on one machine: servers, Ray, Serve, one supervisor over them."""
