"""What calls of the registry do, in words; see cli/core/decoding.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cli.core.naming import Names, Words, Writer, ledger, party, text_line
from moorage import regions, units


def _register_provider(arguments: Mapping[str, Any], names: Names) -> Words:
    return (
        f"register a provider that this wallet {names.wallet} owns",
        f"operated by {party(arguments['operator'], names)}, which may lock {_cap(arguments, names)}",
        *_profile(arguments),
        f"root certificate of {len(arguments['certificate'])} bytes",
    )


def _update_provider(arguments: Mapping[str, Any], names: Names) -> Words:
    return (f"change what is public of provider {arguments['provider']}", *_profile(arguments))


def _profile(arguments: Mapping[str, Any]) -> Words:
    region = regions.describe([arguments["region"]]) or "no known region"
    endpoint, attributes = text_line(arguments["endpoint"]), text_line(arguments["attributes"])
    return f"region {region}", f"endpoint {endpoint}", f"attributes {attributes}"


def _advertise(arguments: Mapping[str, Any], names: Names) -> Words:
    free = (
        f"{units.format_cpu(arguments['milli_cpu'])} cpu, {units.format_size(arguments['memory_bytes'])} memory, "
        f"{units.format_size(arguments['disk_bytes'])} disk"
    )
    return (
        f"advertise for provider {arguments['provider']}: free {free}",
        f"at {names.money.per_hour(arguments['price'])} for a CPU with 2 GiB",
    )


def _set_operator(arguments: Mapping[str, Any], names: Names) -> Words:
    return f"let provider {arguments['provider']} be operated by", party(arguments["operator"], names)


def _set_collateral_cap(arguments: Mapping[str, Any], names: Names) -> Words:
    return (f"let the operator of provider {arguments['provider']} lock and lose {_cap(arguments, names)}",)


def _cap(arguments: Mapping[str, Any], names: Names) -> str:
    return f"at most {ledger(arguments['collateral_cap'], names)} of collateral"


def _add_root(arguments: Mapping[str, Any], names: Names) -> Words:
    size = len(arguments["certificate"])
    return (f"add a root certificate of {size} bytes to provider {arguments['provider']}",)


def _remove_root(arguments: Mapping[str, Any], names: Names) -> Words:
    what = f"remove a root certificate of provider {arguments['provider']}"
    return what, f"fingerprint 0x{arguments['fingerprint'].hex()}"


def _transfer_ownership(arguments: Mapping[str, Any], names: Names) -> Words:
    what = f"offer provider {arguments['provider']}, with all that is in its account, to"
    return what, party(arguments["new_owner"], names)


def _accept_ownership(arguments: Mapping[str, Any], names: Names) -> Words:
    return (f"take over provider {arguments['provider']}, which was offered to this wallet",)


def _deregister(arguments: Mapping[str, Any], names: Names) -> Words:
    return (f"deregister provider {arguments['provider']} for good",)


REGISTRY_WRITERS: Mapping[str, Writer] = {
    "register_provider": _register_provider,
    "update_provider": _update_provider,
    "advertise": _advertise,
    "set_operator": _set_operator,
    "set_collateral_cap": _set_collateral_cap,
    "add_root": _add_root,
    "remove_root": _remove_root,
    "transfer_ownership": _transfer_ownership,
    "accept_ownership": _accept_ownership,
    "deregister_provider": _deregister,
}
