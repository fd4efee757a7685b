"""The local identity provider: accounts, passwords and tokens as Cognito has them, on this machine."""
