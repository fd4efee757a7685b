"""Builds the zip files of the Lambda functions: `make lambdas`."""
