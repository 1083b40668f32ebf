"""What `doctor` is made of: checks that each say what is wrong, where, and what to do about it."""
