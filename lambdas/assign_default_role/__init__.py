"""The Lambda function `assign_default_role`."""
