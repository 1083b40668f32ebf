"""Brownie scripts, none of which a running market needs."""
