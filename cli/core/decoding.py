"""What a call does, in words for whoever is about to sign it: amounts in tokens, ids and addresses complete.

Only what was decoded from the calldata itself is told. Each function of the three contracts that changes something has
its words; a call without words is not signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from eth_utils.address import to_checksum_address

from moorage import regions, terms, units
from moorage.money import Money
from moorage.types import Address, DeploymentId, OrderKey, Parameters

UNLIMITED = 2**255
"""From here on an allowance is one without a limit."""
PERMISSIONS = ("update", "fund", "scale")
"""By their bits, as in IExchange.Permission."""
MAX_SHOWN = 200


class Contract(StrEnum):
    """The three contracts of a market; the values are the names of their ABIs."""

    EXCHANGE = "Exchange"
    REGISTRY = "ProviderRegistry"
    TOKEN = "ERC20"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Calldata that was taken apart by a contract's ABI."""

    contract: Contract
    address: Address
    function: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PermitTerms:
    """A message that lets somebody take tokens (EIP-2612), as it is going to be signed."""

    owner: Address
    spender: Address
    amount_base_units: int
    deadline_seconds: int
    """Unix time."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the words need to know of the market and of whoever signs."""

    money: Money
    parameters: Parameters
    exchange: Address
    registry: Address
    token: Address
    wallet: Address


Words: TypeAlias = tuple[str, ...]
"""What is done, and then a line for each detail."""


def words_of(call: Decoded, names: Names) -> Words | None:
    """Return what a call does; None if there are no words for it."""
    writer = _WRITERS.get((call.contract, call.function))
    if writer is None:
        return None
    where = {
        Contract.EXCHANGE: f"by exchange {call.address}",
        Contract.REGISTRY: f"by registry {call.address}",
        Contract.TOKEN: f"of token {call.address}",
    }
    return (*writer(call.arguments, names), f"{call.function} {where[call.contract]}")


def words_of_permit(permit: PermitTerms, names: Names, until: str) -> Words:
    """Return what a permit allows.

    Args:
        until: the deadline for people.
    """
    return (
        f"allow {party(permit.spender, names)} to take exactly {tokens(permit.amount_base_units, names)}",
        f"from {party(permit.owner, names)}",
        f"until {until}; a signed message, used up by the next transaction",
        f"permit of token {names.token}",
    )


def tokens(base_units: int, names: Names) -> str:
    """Return base units of the token with every digit."""
    return ledger(units.to_ledger_units(base_units, names.money.decimals), names)


def ledger(ledger_units: int, names: Names) -> str:
    """Return ledger units as tokens with every digit."""
    return f"{names.money.number(ledger_units)} {names.money.symbol}"


def party(address: str, names: Names) -> str:
    """Return an address with what it is, if that is known; never shortened."""
    full = Address(to_checksum_address(address))
    known = {
        names.wallet: "this wallet",
        names.exchange: "the exchange",
        names.registry: "the registry",
        names.token: "the token",
    }
    return f"{known[full]} {full}" if full in known else str(full)


def account(address: str, names: Names) -> str:
    """Return whose account on the exchange it is: an address's, or a provider's, which is its number."""
    number = int(address, 16)
    if 0 < number < 2**32:
        return f"the account of provider {number}"
    if Address(to_checksum_address(address)) == names.wallet:
        return f"its own account {names.wallet}"
    return f"the account of {party(address, names)}"


def _deposit(arguments: Mapping[str, Any], names: Names) -> Words:
    amount = tokens(arguments["amount"], names)
    return (f"pay {amount} from the wallet into {account(arguments['account'], names)}",)


def _deposit_with_permit(arguments: Mapping[str, Any], names: Names) -> Words:
    (what,) = _deposit(arguments, names)
    return (f"{what}, by a permit",)


def _withdraw(arguments: Mapping[str, Any], names: Names) -> Words:
    amount = tokens(arguments["amount"], names)
    return (f"take {amount} out of {account(arguments['account'], names)} into this wallet {names.wallet}",)


def _withdraw_to(arguments: Mapping[str, Any], names: Names) -> Words:
    amount, recipient = tokens(arguments["amount"], names), party(arguments["recipient"], names)
    return (f"take {amount} out of {account(arguments['account'], names)}", f"paid to {recipient}")


def _submit_deployment(arguments: Mapping[str, Any], names: Names) -> Words:
    wait = f"{arguments['wait_duration']} blocks ({names.money.span(arguments['wait_duration'])})"
    return (
        "order a new deployment",
        f"bids are taken for {wait}",
        *_groups(arguments, names),
        f"manifest 0x{arguments['version'].hex()}",
        f"salt 0x{arguments['salt'].hex()}",
    )


def _update_deployment(arguments: Mapping[str, Any], names: Names) -> Words:
    version = arguments["version"]
    return (
        f"update deployment {_id(arguments['deployment'])}",
        f"manifest 0x{version.hex()}" if any(version) else "the manifest stays",
        *_groups(arguments, names),
        *(f"end {each}" for each in _orders(arguments["removed"])),
    )


def _groups(arguments: Mapping[str, Any], names: Names) -> Iterable[str]:
    """Yield what is ordered, and what is put in for it."""
    groups, deposits = arguments["groups"], arguments["deposits"]
    for (name, mask, persist, resources), deposit in zip(groups, deposits, strict=False):
        replaced = "replaced when its provider fails" if persist else "not replaced when its provider fails"
        yield f"group {_text(terms.decoded_name(name))} in {regions.describe([mask]) or 'no known region'}, {replaced}"
        yield from (f"  {_resources(each, names)}" for each in resources)
        yield f"  prepaid with {ledger(deposit, names)}"
    if len(groups) != len(deposits):
        yield f"{len(groups)} groups with {len(deposits)} deposits: the exchange refuses that"


def _resources(resources: Sequence[int], names: Names) -> str:
    milli_cpu, memory, disk, price, collateral, count = resources
    size = f"{units.format_cpu(milli_cpu)} cpu, {units.format_size(memory)} memory, {units.format_size(disk)} disk"
    cost = f"at most {names.money.per_hour(price)} and {ledger(collateral, names)} collateral each"
    return f"{count} x {size}: {cost}"


def _fund(arguments: Mapping[str, Any], names: Names) -> Words:
    key, blocks = _key(arguments["key"]), arguments["blocks"]
    return (
        f"prepay {blocks} blocks ({names.money.span(blocks)}) more",
        f"of order or lease {_id(terms.order_id(key))}",
        f"of deployment {_id(key.deployment)}",
        f"for at most {ledger(blocks * terms.max_charge_of(key), names)}",
    )


def _set_manager(arguments: Mapping[str, Any], names: Names) -> Words:
    bits = arguments["permissions"]
    deployment = f"of deployment {_id(arguments['deployment'])}"
    if not bits:
        return f"take all rights from manager {party(arguments['manager'], names)}", deployment
    known = [name for bit, name in enumerate(PERMISSIONS) if bits >> bit & 1]
    if bits >> len(PERMISSIONS):
        known.append(f"and unknown rights ({bits:#x})")
    return (
        f"let {party(arguments['manager'], names)} {', '.join(known)}",
        deployment,
        f"spend at most {ledger(arguments['spend_cap'], names)} of its tenant's account",
        f"until block {arguments['expires_block']}",
    )


def _close_deployment(arguments: Mapping[str, Any], names: Names) -> Words:
    ended = (f"end {each}" for each in _orders(arguments["orders"]))
    return (f"close deployment {_id(arguments['deployment'])}", *ended)


def _submit_fulfillment(arguments: Mapping[str, Any], names: Names) -> Words:
    name, mask, persist, resources = arguments["group"]
    group = {"groups": [(name, mask, persist, resources)], "deposits": []}
    lines = [line for line in _groups({**group, "deposits": [0]}, names) if "prepaid" not in line]
    prices = ", ".join(names.money.per_hour(price) for price in arguments["prices"])
    locked = sum(each[4] * each[5] for each in resources)
    return (
        f"bid for provider {arguments['provider']} at {prices} for each unit",
        f"lock {ledger(locked, names)} of its account as collateral",
        f"of deployment {_id(arguments['deployment'])}, order number 0x{arguments['nonce'].hex()}",
        *lines,
    )


def _cancel_fulfillment(arguments: Mapping[str, Any], names: Names) -> Words:
    return f"take back the bid of provider {arguments['provider']}", f"on {_order(arguments['key'])}"


def _confirmation(arguments: Mapping[str, Any], names: Names) -> Words:
    leases = (f"lease {_id(each)}" for each in arguments["leases"])
    return (f"confirm for provider {arguments['provider']} that it provides", *leases)


def _confirm_closed(arguments: Mapping[str, Any], names: Names) -> Words:
    return (f"confirm for provider {arguments['provider']} that it has reset", *_orders(arguments["leases"]))


def _release(arguments: Mapping[str, Any], names: Names) -> Words:
    providers = ", ".join(map(str, arguments["providers"]))
    return f"release the collateral of lost bids of providers {providers}", f"on order {_id(arguments['order'])}"


def _crank(what: str, key: str) -> Writer:
    """Return a writer for what anyone may do with a list of orders or leases."""
    return lambda arguments, names: (what, *_orders(arguments[key]))


def _crank_ids(what: str, key: str, kind: str) -> Writer:
    return lambda arguments, names: (what, *(f"{kind} {_id(each)}" for each in arguments[key]))


def _approve(arguments: Mapping[str, Any], names: Names) -> Words:
    amount, spender = arguments["amount"], party(arguments["spender"], names)
    if amount == 0:
        return (f"let {spender} take nothing from this wallet any more",)
    shown = "tokens WITHOUT ANY LIMIT" if amount >= UNLIMITED else f"up to {tokens(amount, names)}"
    return f"let {spender} take {shown}", f"from this wallet {names.wallet}, until it is used up or revoked"


def _transfer(arguments: Mapping[str, Any], names: Names) -> Words:
    return f"pay {tokens(arguments['amount'], names)}", f"to {party(arguments['receiver'], names)}"


def _transfer_from(arguments: Mapping[str, Any], names: Names) -> Words:
    (what, to), sender = _transfer(arguments, names), party(arguments["sender"], names)
    return f"{what} from {sender}", to


def _permit(arguments: Mapping[str, Any], names: Names) -> Words:
    owner, (what, *_) = party(arguments["owner"], names), _approve(arguments, names)
    return what, f"from {owner}, by its permit"


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
    endpoint, attributes = _text(arguments["endpoint"]), _text(arguments["attributes"])
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


def _orders(keys: Iterable[Sequence[Any]]) -> Words:
    return tuple(_order(key) for key in keys)


def _order(key: Sequence[Any]) -> str:
    known = _key(key)
    return f"order or lease {_id(terms.order_id(known))} of deployment {_id(known.deployment)}"


def _key(key: Sequence[Any]) -> OrderKey:
    deployment, nonce, packed, resources_hash = key
    return OrderKey(DeploymentId(deployment), nonce, packed, resources_hash)


def _id(identifier: bytes) -> str:
    return f"0x{identifier.hex()}"


def _text(text: str) -> str:
    """Return what somebody wrote as what can be shown: one line without control characters, not endless."""
    line = "".join(character if character.isprintable() else "?" for character in text)
    return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}... ({len(line)} characters)"


Writer: TypeAlias = Callable[[Mapping[str, Any], Names], Words]

_WRITERS: Mapping[tuple[Contract, str], Writer] = {
    (Contract.EXCHANGE, "deposit"): _deposit,
    (Contract.EXCHANGE, "deposit_with_permit"): _deposit_with_permit,
    (Contract.EXCHANGE, "withdraw"): _withdraw,
    (Contract.EXCHANGE, "withdraw_to"): _withdraw_to,
    (Contract.EXCHANGE, "submit_deployment"): _submit_deployment,
    (Contract.EXCHANGE, "update_deployment"): _update_deployment,
    (Contract.EXCHANGE, "close_deployment"): _close_deployment,
    (Contract.EXCHANGE, "fund"): _fund,
    (Contract.EXCHANGE, "set_manager"): _set_manager,
    (Contract.EXCHANGE, "submit_fulfillment"): _submit_fulfillment,
    (Contract.EXCHANGE, "cancel_fulfillment"): _cancel_fulfillment,
    (Contract.EXCHANGE, "release_fulfillments"): _release,
    (Contract.EXCHANGE, "submit_lease"): _crank("match, with the lowest bid,", "orders"),
    (Contract.EXCHANGE, "submit_lease_confirmation"): _confirmation,
    (Contract.EXCHANGE, "submit_stale_lease"): _crank("end as stale, if it is overdue,", "leases"),
    (Contract.EXCHANGE, "confirm_closed"): _confirm_closed,
    (Contract.EXCHANGE, "finish_leases"): _crank("finish, where the provider has not,", "leases"),
    (Contract.EXCHANGE, "deployment_closed"): _crank_ids("see as closed", "deployments", "deployment"),
    (Contract.EXCHANGE, "claim"): _crank_ids("pay out to the provider what it has earned with", "leases", "lease"),
    (Contract.REGISTRY, "register_provider"): _register_provider,
    (Contract.REGISTRY, "update_provider"): _update_provider,
    (Contract.REGISTRY, "advertise"): _advertise,
    (Contract.REGISTRY, "set_operator"): _set_operator,
    (Contract.REGISTRY, "set_collateral_cap"): _set_collateral_cap,
    (Contract.REGISTRY, "add_root"): _add_root,
    (Contract.REGISTRY, "remove_root"): _remove_root,
    (Contract.REGISTRY, "transfer_ownership"): _transfer_ownership,
    (Contract.REGISTRY, "accept_ownership"): _accept_ownership,
    (Contract.REGISTRY, "deregister_provider"): _deregister,
    (Contract.TOKEN, "approve"): _approve,
    (Contract.TOKEN, "transfer"): _transfer,
    (Contract.TOKEN, "transferFrom"): _transfer_from,
    (Contract.TOKEN, "permit"): _permit,
}
