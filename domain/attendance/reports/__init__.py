"""Reports on attendance: pure functions from facts to rows. Groups under five people are hidden in all of them."""
