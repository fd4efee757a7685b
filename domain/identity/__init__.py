"""Who somebody is to the gym: users, roles, sessions."""
