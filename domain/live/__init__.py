"""What a gym is like at this moment, and how well its doors are served."""
