"""Pictures of machines and members."""
