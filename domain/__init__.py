"""How a gym works. Knows nothing of HTTP, Ray, Kafka, AWS or Stripe."""
