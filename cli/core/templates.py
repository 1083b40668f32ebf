"""What `moorage init` can write: the examples of this project, each by its name."""

from __future__ import annotations

from dataclasses import dataclass

DEPLOYMENT_FILE = "moorage.yml"
SECRETS = "secrets"
"""The directory of files that only their owner may read."""


@dataclass(frozen=True, slots=True)
class Template:
    """One example."""

    about: str
    """One line."""
    files: tuple[str, ...] = ()
    """What is written beside the deployment file."""
    secrets: tuple[str, ...] = ()
    """Files in `secrets` that are made anew, of random text."""
    webhook_secrets: tuple[str, ...] = ()
    """Likewise, as keys that requests of `moorage notify` are signed with."""


TEMPLATES = {
    "static-site": Template("a static site: nginx on two nodes"),
    "app-postgresql": Template("an application and its PostgreSQL, with a volume", secrets=("database-password",)),
    "app-redis": Template("an application on two nodes and its redis"),
    "worker-queue": Template("a page that takes jobs, a queue in redis, two workers"),
    "two-regions": Template(
        "an application in two regions, one database that both reach", secrets=("database-password",)
    ),
    "with-includes": Template("one base, and files for production and staging", files=("base.yml", "staging.yml")),
    "private-service": Template(
        "a service that only another one reaches, with a secret key",
        files=("nginx.conf", "signer.py"),
        secrets=("signing-key",),
    ),
    "notifications": Template("a site whose owner hears of what happens to it", webhook_secrets=("webhook-key",)),
    "batch-job": Template("a job that ends when it is done", files=("job.py",)),
    "linux-box": Template("a Linux box with ssh", files=("authorized_keys", "Dockerfile", "sshd_config", "start-sshd")),
}
"""Name -> template. The first is the one that is written when none is named."""
DEFAULT = next(iter(TEMPLATES))


def described() -> tuple[str, ...]:
    """Return a line for each template."""
    width = max(map(len, TEMPLATES))
    return tuple(f"{name:<{width}}  {template.about}" for name, template in TEMPLATES.items())
