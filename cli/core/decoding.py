"""What a call does, in words for whoever is about to sign it: amounts in tokens, ids and addresses complete.

What was decoded from the calldata itself is told, and beside it what the run knows of an order or deployment. Each
function of the three contracts that changes something has its words; a call without words is not signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cli.core.naming import (
    Contract,
    Decoded,
    Names,
    PermitTerms,
    Words,
    Writer,
    account,
    full_id,
    ledger,
    party,
    text_line,
    tokens,
)
from cli.core.registry_words import REGISTRY_WRITERS
from moorage import regions, terms, units
from moorage.types import DeploymentId, OrderKey

UNLIMITED = 2**255
"""From here on an allowance is one without a limit."""
PERMISSIONS = ("update", "fund", "scale")
"""By their bits, as in IExchange.Permission."""


def words_of(call: Decoded, names: Names) -> Words | None:
    """Return what a call does; None if there are no words for it."""
    writer = _WRITERS.get((call.contract, call.function))
    if writer is None:
        return None
    where = {
        Contract.EXCHANGE: "exchange",
        Contract.REGISTRY: "registry",
        Contract.TOKEN: "token",
    }
    return (*writer(call.arguments, names), f"calls {call.function} of the {where[call.contract]} {call.address}")


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
    salt = arguments["salt"]
    wait = f"{arguments['wait_duration']} blocks ({names.money.span(arguments['wait_duration'])})"
    return (
        "order a new deployment",
        f"bids are taken for {wait}",
        *_groups(arguments, names),
        _manifest(arguments["version"]),
        f"id {full_id(terms.deployment_id(names.chain_id, names.exchange, names.wallet, salt))}",
        f"salt 0x{salt.hex()} (makes the deployment's id unique)",
    )


def _manifest(version: bytes) -> str:
    return f"manifest 0x{version.hex()} (hash of what its providers run)"


def _update_deployment(arguments: Mapping[str, Any], names: Names) -> Words:
    version, deployment = arguments["version"], arguments["deployment"]
    return (
        f"update deployment {full_id(deployment)}",
        *_known(deployment, names),
        _manifest(version) if any(version) else "the manifest stays",
        *_groups(arguments, names),
        *_ends(arguments["removed"], names),
    )


def _groups(arguments: Mapping[str, Any], names: Names) -> Iterable[str]:
    """Yield what is ordered, and what is put in for it."""
    groups, deposits = arguments["groups"], arguments["deposits"]
    for (name, mask, persist, resources), deposit in zip(groups, deposits, strict=False):
        replaced = "replaced when its provider fails" if persist else "not replaced when its provider fails"
        where = regions.describe([mask]) or "no known region"
        yield f"group {text_line(terms.decoded_name(name))} in {where}, {replaced}"
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
        f"of order or lease {full_id(terms.order_id(key))}",
        f"of deployment {full_id(key.deployment)}",
        f"for at most {ledger(blocks * terms.max_charge_of(key), names)}, which is the limit at max-price",
        *_known(terms.order_id(key), names),
    )


def _set_manager(arguments: Mapping[str, Any], names: Names) -> Words:
    bits = arguments["permissions"]
    deployment = f"of deployment {full_id(arguments['deployment'])}"
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
    return (f"close deployment {full_id(arguments['deployment'])}", *_ends(arguments["orders"], names))


def _ends(keys: Iterable[Sequence[Any]], names: Names) -> Iterator[str]:
    for key in keys:
        yield f"end {_order(key)}"
        yield from (f"  {each}" for each in _known(terms.order_id(_key(key)), names))


def _known(identifier: bytes, names: Names) -> Words:
    """Return what the run knows of an order or a deployment: a line, or none."""
    return (names.known[identifier],) if identifier in names.known else ()


def _submit_fulfillment(arguments: Mapping[str, Any], names: Names) -> Words:
    name, mask, persist, resources = arguments["group"]
    group = {"groups": [(name, mask, persist, resources)], "deposits": []}
    lines = [line for line in _groups({**group, "deposits": [0]}, names) if "prepaid" not in line]
    prices = ", ".join(names.money.per_hour(price) for price in arguments["prices"])
    locked = sum(each[4] * each[5] for each in resources)
    return (
        f"bid for provider {arguments['provider']} at {prices} for each unit",
        f"lock {ledger(locked, names)} of its account as collateral",
        f"of deployment {full_id(arguments['deployment'])}, order number 0x{arguments['nonce'].hex()}",
        *lines,
    )


def _cancel_fulfillment(arguments: Mapping[str, Any], names: Names) -> Words:
    return f"take back the bid of provider {arguments['provider']}", f"on {_order(arguments['key'])}"


def _confirmation(arguments: Mapping[str, Any], names: Names) -> Words:
    leases = (f"lease {full_id(each)}" for each in arguments["leases"])
    return (f"confirm for provider {arguments['provider']} that it provides", *leases)


def _confirm_closed(arguments: Mapping[str, Any], names: Names) -> Words:
    return (f"confirm for provider {arguments['provider']} that it has reset", *_orders(arguments["leases"]))


def _release(arguments: Mapping[str, Any], names: Names) -> Words:
    providers = ", ".join(map(str, arguments["providers"]))
    return f"release the collateral of lost bids of providers {providers}", f"on order {full_id(arguments['order'])}"


def _crank(what: str, key: str) -> Writer:
    """Return a writer for what anyone may do with a list of orders or leases."""
    return lambda arguments, names: (what, *_orders(arguments[key]))


def _crank_ids(what: str, key: str, kind: str) -> Writer:
    return lambda arguments, names: (what, *(f"{kind} {full_id(each)}" for each in arguments[key]))


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


def _orders(keys: Iterable[Sequence[Any]]) -> Words:
    return tuple(_order(key) for key in keys)


def _order(key: Sequence[Any]) -> str:
    known = _key(key)
    return f"order or lease {full_id(terms.order_id(known))} of deployment {full_id(known.deployment)}"


def _key(key: Sequence[Any]) -> OrderKey:
    deployment, nonce, packed, resources_hash = key
    return OrderKey(DeploymentId(deployment), nonce, packed, resources_hash)


_WRITERS: Mapping[tuple[Contract, str], Writer] = {
    **{(Contract.REGISTRY, function): writer for function, writer in REGISTRY_WRITERS.items()},
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
    (Contract.TOKEN, "approve"): _approve,
    (Contract.TOKEN, "transfer"): _transfer,
    (Contract.TOKEN, "transferFrom"): _transfer_from,
    (Contract.TOKEN, "permit"): _permit,
}
