"""The Lambda function `change_role`."""
