"""doctor, status, drain and reconcile of both daemons on a real chain, as an operator calls them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.operator_desk import Desk, Ended, open_desk

TOKEN = "canary-5e0f"
"""Stands in a node's address, where access tokens do."""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


async def facilitator(desk: Desk, command: str, *arguments: str, rpc: str = "") -> Ended:
    options = ["--rpc", rpc or desk.chain.url, "--market", "market.json", "--key-file", "operator", "--metrics", ""]
    return await desk.facilitator(command, *options, "--data-dir", "bot", *arguments)


def findings(ended: Ended) -> dict[str, dict[str, Any]]:
    """Return what doctor found, by where; the worst of each."""
    document = json.loads(ended.out)
    worst = sorted(document["findings"], key=lambda each: ["ok", "warning", "failure"].index(each["level"]))
    return {each["where"]: each for each in worst}


async def test_provider__doctor_and_status__tell_what_is_on_chain(desk: Desk) -> None:
    await desk.register(deposit="10")
    doctor = await desk.provider("doctor", "-o", "json")
    found = findings(doctor)
    status = await desk.provider("status", "-o", "json")
    document = json.loads(status.out)

    assert (doctor.status, doctor.err) == (1, "")  # there is no engine at the desk
    assert found["docker"]["level"] == "failure"
    assert found["market"]["level"] == "ok"
    assert found["registration"]["what"] == "provider 1, with this operator and this root certificate"
    assert found["collateral"]["level"] == "ok"
    assert desk.chain.operators[0].address in found["coin"]["what"]
    assert "root.pem and provider.json" in found["data_dir data"]["what"]
    assert (status.status, status.err) == (0, "")
    assert (document["provider"], document["leases"], document["bids"], document["draining"]) == (1, [], [], False)
    assert document["account"] == {"available": "10", "locked": "0", "slashed": "0", "cap": "1000", "cap_left": "1000"}
    assert document["advertised"] is None


async def test_provider__drain__is_shown_by_status_until_it_ends(desk: Desk) -> None:
    await desk.register()

    begun = await desk.provider("drain")
    during = await desk.provider("status")
    ended = await desk.provider("drain", "--off")
    after = await desk.provider("status")

    assert (begun.status, ended.status) == (0, 0)
    assert "maintenance  on" in during.out
    assert "maintenance" not in after.out
    assert (await desk.provider("reconcile")).status == 0
    assert (desk.folder / "data" / "reconcile").exists()


async def test_d07_facilitator__doctor_and_status__tell_what_waits_and_when_somebody_acted(desk: Desk) -> None:
    doctor = await facilitator(desk, "doctor", "-o", "json")
    status = await facilitator(desk, "status", "-o", "json")
    table = await facilitator(desk, "doctor")

    assert (doctor.status, doctor.err, status.status) == (0, "", 0)
    assert "no facilitator has acted" in findings(doctor)["market's work"]["what"]
    assert json.loads(status.out)["due"] == {
        "submit_lease": 0,
        "submit_stale_lease": 0,
        "finish_leases": 0,
        "deployment_closed": 0,
    }
    assert json.loads(status.out)["wallet"]["address"] == desk.chain.operators[0].address
    assert table.out.splitlines()[-1].startswith("failures: 0, ")


async def test_facilitator__settings_file__is_read_and_options_win(desk: Desk) -> None:
    lines = ['rpc = "http://127.0.0.1:1"', 'market = "market.json"', 'key_file = "stranger"', 'metrics = ""']
    (desk.folder / "bot.toml").write_text("\n".join(lines))

    refused = await desk.facilitator("status", "-c", "bot.toml")
    status = await desk.facilitator("status", "-c", "bot.toml", "--rpc", desk.chain.url, "-o", "json")

    assert (refused.status, "http://127.0.0.1:1" in refused.err) == (2, True)
    assert json.loads(status.out)["wallet"]["address"] == desk.chain.stranger.address


async def test_g30_facilitator__contracts_of_another_version__ends_with_two(desk: Desk) -> None:
    path = desk.folder / "market.json"
    document = json.loads(path.read_text())
    registry, token = (document["contracts"][name] for name in ("ProviderRegistry", "Token"))
    for key in ("address", "code_hash"):
        registry[key], token[key] = token[key], registry[key]  # a contract that is there, and is not what is meant
    path.write_text(json.dumps(document))

    ended = await facilitator(desk, "run")

    assert (ended.status, ended.out) == (2, "")
    assert "of another version than this program" in ended.err


async def test_g26_doctor_and_status__token_in_a_nodes_address_and_keys__are_never_shown(desk: Desk) -> None:
    await desk.register()
    canaries = [TOKEN, *((desk.folder / name).read_text()[2:34] for name in ("operator", "owner"))]
    shown = []
    answering = f"{desk.chain.url}/?key={TOKEN}"
    for old, new in ((desk.chain.url, answering), (answering, f"http://user:{TOKEN}@127.0.0.1:1/{TOKEN}?key={TOKEN}")):
        desk.change(old, new)
        for command in ("doctor", "status"):
            shown += [await desk.provider(command), await facilitator(desk, command, rpc=new)]

    assert [ended.status for ended in shown] == [1, 0, 0, 0, 1, 1, 2, 2]
    assert not [canary for canary in canaries for ended in shown if canary in ended.out + ended.err]
