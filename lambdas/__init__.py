"""The functions that AWS Lambda runs, one folder each."""
