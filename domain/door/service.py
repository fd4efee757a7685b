"""The door's use case: decide a batch of questions in one unit of work."""
