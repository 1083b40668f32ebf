"""What to do, decided from a snapshot alone."""
