"""What is read from Kafka: one generic loop, the door's and the payments' consumer, and the jobs beside them."""
