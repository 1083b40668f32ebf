"""The parts of the deploy script: what it reads, checks and writes."""


class DeploymentRefused(Exception):
    """Nothing may be deployed, or written, like this; the message is one line that says what to change."""
