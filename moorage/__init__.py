"""What the daemons and the command line share. Imports none of them."""

__version__ = "0.1.0"
