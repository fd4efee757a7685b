"""The Lambda functions as files that AWS can run: `make lambdas`."""
