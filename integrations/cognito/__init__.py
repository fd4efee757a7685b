"""AWS Cognito: a user pool as identity provider and account directory."""
