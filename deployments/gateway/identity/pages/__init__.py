"""The pages of the local identity provider: sign in, sign up, forgotten password."""
