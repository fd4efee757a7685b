"""A stand-in for Stripe on this machine: the part of its API that is used here, a page to pay at, signed webhooks."""
