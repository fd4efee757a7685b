"""The one HTTP entrance: who asks, what they may, and the way of every call to the part that answers it."""
