"""Kafka: the messages, and the ways in which they are sent and awaited."""
