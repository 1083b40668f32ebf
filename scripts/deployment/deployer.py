"""Chooses the account that pays for a deployment. It has no rights afterwards."""

import os
from typing import Any

from brownie import accounts

from scripts.deployment import DeploymentRefused


def deployer(is_development: bool) -> Any:
    """Return Brownie's account of DEPLOYER_ID or DEPLOYER_KEY, or the first one of a development chain.

    Raises:
        DeploymentRefused: there is none, or it can't be opened; the message holds no secret.
    """
    keystore, key = os.environ.get("DEPLOYER_ID"), os.environ.get("DEPLOYER_KEY")
    if keystore and key:
        raise DeploymentRefused("DEPLOYER_ID and DEPLOYER_KEY are both set: which one is to pay?")
    if keystore:
        return _from_keystore(keystore)
    if key:
        try:
            return accounts.add(key)
        except Exception:  # whatever it was, its text may hold the key
            raise DeploymentRefused("DEPLOYER_KEY is not a private key: 32 bytes in hex") from None
    if is_development:
        return accounts[0]
    raise DeploymentRefused(
        "no deployer: set DEPLOYER_ID to a key of `brownie accounts list`, or DEPLOYER_KEY to a private key"
    )


def _from_keystore(keystore: str) -> Any:
    """Open a key file; without DEPLOYER_PASSWORD the password is asked for."""
    try:
        return accounts.load(keystore, os.environ.get("DEPLOYER_PASSWORD"))
    except FileNotFoundError:
        known = ", ".join(accounts.load()) or "none"
        raise DeploymentRefused(f"DEPLOYER_ID: no key {keystore}; there are: {known}") from None
    except ValueError as error:
        raise DeploymentRefused(f"DEPLOYER_ID: key {keystore} does not open: {error}") from None
