"""Health, readiness, version and the API documentation."""
