"""AWS Cognito: a user pool as the identity provider, and as the directory of all accounts."""
