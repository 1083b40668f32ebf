"""One file for each command; main.py imports only the one that runs."""
