"""The local identity provider: accounts, passwords and tokens like Cognito's, on this machine."""
