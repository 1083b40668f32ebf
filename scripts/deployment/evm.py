"""Probes the chain: whether it runs what the compiler has emitted."""

from web3 import Web3

from scripts.deployment import DeploymentRefused
from scripts.deployment.node import Reverted, Unanswered, call

# PUSH0 (Shanghai); TSTORE, TLOAD, MCOPY (Cancun). Stores 1, loads it, copies it, returns it; sent as init code, so that
# no contract is needed.
CANCUN_PROGRAM = "0x60015f5d5f5c5f5260205f60205e60206020f3"


def check_evm(web3: Web3) -> None:
    """Refuse a chain whose EVM is older than Cancun: locks use transient storage.

    Raises:
        DeploymentRefused: the program fails or returns something else.
    """
    try:
        answer = call(web3, {"data": CANCUN_PROGRAM})
    except (Reverted, Unanswered) as error:
        raise DeploymentRefused(
            f"chain {web3.eth.chain_id} is too old: the contracts need the EVM of Cancun (EIP-1153, EIP-5656): {error}"
        ) from error
    if int.from_bytes(answer, "big") != 1:
        raise DeploymentRefused(
            f"chain {web3.eth.chain_id} does not run transient storage as EIP-1153 asks: it answered 0x{answer.hex()}"
        )
