"""Kafka: messages, producers, consumers, dead letters."""
