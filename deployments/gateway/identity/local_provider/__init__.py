"""The endpoints and pages of the local identity provider, under the paths that Cognito uses."""
