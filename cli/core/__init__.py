"""What a tenant is told and what is due next, decided from values alone."""
