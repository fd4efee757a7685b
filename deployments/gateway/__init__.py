"""The HTTP API under `/api`: authentication, authorization, and routes that call the other deployments."""
