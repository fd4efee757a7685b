"""What is served: one package per Ray Serve deployment."""
