"""What the agent does, decided from values alone."""
