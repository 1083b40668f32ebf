"""Breaks the contract on purpose, one place at a time, and counts how often the tests notice: see __main__.py."""
