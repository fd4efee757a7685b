"""The Lambda function `list_users`."""
