"""A local stand-in for Stripe: the part of its API that is used here, its payment page, and its webhooks."""
