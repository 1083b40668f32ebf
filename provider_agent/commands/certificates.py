"""`moorage-provider certificates`: how long each certificate is good for; renews the intermediate where it can."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography import x509

from provider_agent.options import CONFIG
from provider_agent.registration import RegistrationError, find_registration, load_own_root, root_file
from provider_agent.settings import load_settings
from provider_agent.shell.authority import CLIENT, INTERMEDIATE, SERVER, Authority, load, load_root_certificate


@click.command(name="certificates")
@CONFIG
@click.option("--renew", "is_wanted", is_flag=True, help="Make a new intermediate now; needs root.pem.")
def command(config_file: Path, is_wanted: bool) -> None:
    """Show root, intermediate and daily certificates, having renewed the intermediate if it is due."""
    settings = load_settings(config_file)
    registration = find_registration(settings)
    root = load_own_root(settings, registration) if registration else load_root_certificate(root_file(settings))
    if root is None:
        raise RegistrationError(
            f"{root_file(settings)}: is not there: run moorage-provider init, or restore its backup"
        )
    now = datetime.now(UTC)
    authority = Authority(settings.data_dir, root, now)
    if is_wanted:
        authority.renew(now)
    has_key = root_file(settings).exists()
    _show("root", root, now, "key here" if has_key else "key elsewhere")
    _show("intermediate", authority.issuer.certificate, now, INTERMEDIATE)
    for name in (SERVER, CLIENT):
        try:
            _show(name.removesuffix(".pem"), load(settings.data_dir / name).certificate, now, "made by the agent")
        except FileNotFoundError:
            click.echo(f"{name.removesuffix('.pem'):<13} not made yet: the agent makes it")


def _show(name: str, certificate: x509.Certificate, now: datetime, text: str) -> None:
    end = certificate.not_valid_after_utc
    click.echo(f"{name:<13} until {end:%Y-%m-%d %H:%M} UTC, {(end - now).days} days, {text}")
