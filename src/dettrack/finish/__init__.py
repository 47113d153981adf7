"""What is removed, filled or smoothed at the end (paper 4.1)."""
