"""Facts about attendance: pure functions from frames of the archive to frames of facts."""
