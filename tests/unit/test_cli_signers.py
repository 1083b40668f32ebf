"""Signers elsewhere as the tenant's program sees them: away is another thing than refusing."""

from __future__ import annotations

import pytest
from eth_account import Account

from cli.failures import ExitStatus, Failure
from cli.outgoing import Outgoing
from cli.signers import NobodySigns, SignerElsewhere
from moorage.chain.remote_signer import RemoteSigner
from moorage.chain.rpc import NodeUnavailable, Rpc
from moorage.chain.signer import LocalSigner
from moorage.typed_data import TypedData
from moorage.types import Address
from tests.signer_site import signer_site

KEY = Account.from_key(b"\x05" * 32)
ADDRESS = Address(KEY.address)
DATA = TypedData({"name": "Any", "chainId": 1}, {"Note": [{"name": "text", "type": "string"}]}, "Note", {"text": "x"})


def test_j01_undoing__whatever_the_node_says_of_fees__costs_ten_times_what_was_shown_at_most():
    outgoing = Outgoing(gas_wei=3, shown_wei=100)

    outgoing.allow_undoing()

    assert outgoing.gas_wei == 1_000


async def test_signer__message__is_signed_as_a_key_at_hand_would():
    async with signer_site(KEY) as site, Rpc(site.url) as rpc:
        signer = SignerElsewhere(RemoteSigner(rpc, ADDRESS, None))

        assert await signer.sign_typed_data(DATA) == await LocalSigner(KEY).sign_typed_data(DATA)


async def test_j06_signer__away__may_be_asked_again():
    async with Rpc("http://127.0.0.1:1") as rpc:
        signer = SignerElsewhere(RemoteSigner(rpc, ADDRESS, None))

        with pytest.raises(NodeUnavailable):
            await signer.sign_typed_data(DATA)

    assert signer.failure is not None and signer.failure.status is ExitStatus.SIGNER


@pytest.mark.parametrize("settings", [{"rejected": ("eth_signTypedData_v4",)}, {"change": {"text": "y"}}])
async def test_j06_signer__refuses_or_signs_something_else__is_not_asked_again(settings):
    async with signer_site(KEY, **settings) as site, Rpc(site.url) as rpc:
        signer = SignerElsewhere(RemoteSigner(rpc, ADDRESS, None))

        with pytest.raises(Failure, match="nothing was signed") as caught:
            await signer.sign_typed_data(DATA)

    assert caught.value.status is ExitStatus.SIGNER


async def test_j06_signer__signs_after_it_has_refused__has_no_failure_any_more():
    async with signer_site(KEY, rejected=("eth_signTypedData_v4",)) as site, Rpc(site.url) as rpc:
        signer = SignerElsewhere(RemoteSigner(rpc, ADDRESS, None))
        with pytest.raises(Failure):
            await signer.sign_typed_data(DATA)
        assert signer.failure is not None
        site.rejected = ()

        await signer.sign_typed_data(DATA)

    assert signer.failure is None


@pytest.mark.parametrize("answer", ["0x", "0x00", f"0x{'00' * 65}", f"0x{'ff' * 65}", "nonsense", None, 7])
async def test_j06_signer__answers_no_signature__is_refused(monkeypatch, answer):
    async def result(self, method, call):
        return answer

    monkeypatch.setattr("tests.signer_site.SignerSite._result", result)
    async with signer_site(KEY) as site, Rpc(site.url) as rpc:
        signer = SignerElsewhere(RemoteSigner(rpc, ADDRESS, None))

        with pytest.raises((Failure, NodeUnavailable)):
            await signer.sign_typed_data(DATA)


async def test_nobody_signs__asked_for_anything__says_where_the_key_is_not():
    signer = NobodySigns(ADDRESS)

    for asking in (signer.unlock(), signer.sign_typed_data(DATA)):
        with pytest.raises(Failure, match=f"the key of {ADDRESS} is not here"):
            await asking
