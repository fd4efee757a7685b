"""The live view of a gym, and the service level of its doors."""
