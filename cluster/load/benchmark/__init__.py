"""The measuring stick: scans through a running stack, beside what Serve can do at most. Every answer is checked."""
