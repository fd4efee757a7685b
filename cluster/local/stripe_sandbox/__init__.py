"""A local stand-in for Stripe: the API calls that FIT Monitor makes, the checkout page, and webhooks."""
