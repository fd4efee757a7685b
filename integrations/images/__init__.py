"""Pictures: storage and encoding."""
