"""Pictures: where they are kept, and how they are made anew."""
