"""What is read from Kafka, and what is done with it."""
