"""Plans, creation and updates on a real chain: what changes is shown, and nothing else happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from cli.failures import ExitStatus
from moorage.chain.contracts import Call
from moorage.chain.sender import Refused, Sender
from moorage.types import Address, OrderState
from tests.chain import give_tokens
from tests.cli_runner import Person
from tests.cli_world import BLOCK_SECONDS, FILE, PATIENT_PERIOD, World, assert_failed, key_file, world
from tests.market_crew import crew

Groups = list[dict[str, object]]
UPDATE, FUND, SCALE = 1, 2, 4
NEWER = FILE.replace("nginx:1.22", "nginx:1.23")
EAST = NEWER.replace("    dock:\n      region", "    east:\n      region").replace("      dock: {", "      east: {")


def with_east(text: str) -> str:
    """Return a file with a second datacenter that is as the first one."""
    head, _, rest = text.partition("    dock:\n")
    body, _, tail = rest.partition("  services:\n    web:\n")
    east = "      east: {profile: small, nodes: 1}\n"
    return f"{head}    dock:\n{body}    east:\n{body}  services:\n    web:\n{tail}{east}"


async def deployed(here: World) -> dict[str, object]:
    """Deploy the file and return its group."""
    done = await here.tenant.does("deploy", "--yes", "--detach", "--fund", "1h")
    assert done.status is ExitStatus.OK, done.err
    return await group_of(here)


async def groups_of(here: World) -> Groups:
    return (await here.tenant.does("status", "-o", "json")).json["groups"]


async def groups_when(here: World, is_so: Callable[[Groups], bool]) -> Groups:
    """Return the groups once something is so."""
    async with asyncio.timeout(120):
        while True:
            groups = await groups_of(here)
            if is_so(groups):
                return groups
            await asyncio.sleep(0.2)


async def group_of(here: World) -> dict[str, object]:
    (group,) = await groups_of(here)
    return group


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# ------------------------------------------------------------------ plan, create


async def test_plan__nothing_deployed__says_what_deploy_would_order_and_sends_nothing(tmp_path):
    async with world(tmp_path) as here:
        planned = await here.tenant.does("plan", "--fund", "1h")
        document = (await here.tenant.does("plan", "--fund", "1h", "-o", "json")).json

        assert planned.status is ExitStatus.OK, planned.err
        for words in (
            "2 x 500m cpu, 256MiB memory, 1GB disk",
            "1 MOOR/h, 24 MOOR/day, 720 MOOR/30 days",
            "paid in from your wallet   1.003 MOOR",
            "next: `moorage deploy -f moorage.yml`",
        ):
            assert words in planned.out
        assert document["deployment"] is None
        assert document["cost"]["at_maximum_price"]["per_hour"].startswith(("0.99999", "1"))
        assert await here.deployments() == [] and (await here.account()).available == 0


async def test_j04_create__run_twice__orders_once_and_says_the_id(tmp_path):
    async with world(tmp_path) as here:
        first = await here.tenant.does("create", "--yes", "-o", "json")
        account = await here.account()
        second = await here.tenant.does("create", "--yes", "-o", "json")

        assert first.status is second.status is ExitStatus.OK, first.err + second.err
        (only,) = await here.deployments()
        assert first.events[-1]["deployment"] == second.events[-1]["deployment"] == only["deployment"]
        assert await here.account() == account
        assert only["groups"][0]["state"] == OrderState.OPEN


async def test_create__dry_run__sends_nothing_and_remembers_nothing(tmp_path):
    async with world(tmp_path) as here:
        result = await here.tenant.does("create", "--dry-run", "--unsigned-out", "unsigned.json")

        assert result.status is ExitStatus.OK, result.err
        assert not (tmp_path / "unsigned.json").exists()
        assert await here.deployments() == [] and not list(here.tenant.state.rglob("*.json"))


@pytest.mark.parametrize("way", [("--dry-run",), ("--unsigned-out", "unsigned.json")])
async def test_j01_commands__only_to_be_shown__sign_nothing_whatever_state_the_deployment_is_in(tmp_path, way):
    async with world(tmp_path) as here:
        await here.tenant.does("create", "--yes")
        live = [await here.tenant.does(command, *way) for command in ("deploy", "update")]
        before = await here.deployments()
        assert (await here.tenant.does("delete", "--yes", "--detach")).status is ExitStatus.OK
        closing = await here.deployments()
        ended = await here.tenant.does("delete", *way, "--deployment", closing[0]["deployment"])
        after = await here.deployments()

    assert [each.status for each in (*live, ended)] == [ExitStatus.OK] * 3, [each.err for each in (*live, ended)]
    assert "nothing is to be signed" in live[0].err and "nothing to update" in live[1].err
    assert before[0]["state"] == "active"
    assert [each["state"] for each in after] == [each["state"] for each in closing] != ["closed"]


# ------------------------------------------------------------------ update


async def test_update__service_alone__is_a_new_version_of_the_same_lease(tmp_path):
    async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path, (80,)):
        before, account = await deployed(here), await here.account()
        (tmp_path / "moorage.yml").write_text(NEWER)

        planned = await here.tenant.does("plan")
        updated = await here.tenant.does("update", "--yes", "--detach")

        assert "~ web in dock: image nginx:1.22 -> nginx:1.23" in planned.out
        assert "= dock: keeps its lease" in planned.out and "next: `moorage update -f moorage.yml`" in planned.out
        assert updated.status is ExitStatus.OK, updated.err
        assert "version 2 submitted" in updated.out and "all workloads run" in updated.out
        after = await group_of(here)
        assert (after["order"], after["state"]) == (before["order"], "lease-active")
        assert await here.account() == account
        again = await here.tenant.does("update", "--yes", "--detach")
        assert (again.status, "nothing to update" in again.err) == (ExitStatus.OK, True)
        assert (await here.tenant.does("deploy", "--detach")).status is ExitStatus.OK
        (only,) = await here.deployments()
        assert len(only["groups"]) == 1


async def test_update__group_added_then_the_first_removed__ends_with_the_other_one(tmp_path):
    async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path, (80, 90)):
        before = await deployed(here)
        (tmp_path / "moorage.yml").write_text(with_east(FILE))
        added = await here.tenant.does("update", "--yes", "--detach", "--fund", "1h")
        assert added.status is ExitStatus.OK, added.err
        first, second = await groups_of(here)
        assert (first["order"], second["name"]) == (before["order"], "east")

        (tmp_path / "moorage.yml").write_text(EAST.replace("nginx:1.23", "nginx:1.22").replace("nodes: 2", "nodes: 1"))
        planned = (await here.tenant.does("plan", "-o", "json")).json
        removed = await here.tenant.does("update", "--yes", "--detach")

        assert [(each["name"], each["change"]) for each in planned["groups"]] == [("east", "same"), ("dock", "removed")]
        assert float(planned["comes_back"]["after_reset"]) > 0
        assert removed.status is ExitStatus.OK, removed.err
        (left,) = await groups_when(here, lambda groups: len(groups) == 1)
        assert left["order"] == second["order"]
        assert (await here.tenant.does("delete", "--yes")).status is ExitStatus.OK


async def test_update__more_nodes__ends_the_lease_and_orders_anew_under_the_same_name(tmp_path):
    async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path, (80,)):
        before = await deployed(here)
        (tmp_path / "moorage.yml").write_text(FILE.replace("nodes: 2", "nodes: 3"))

        updated = await here.tenant.does("update", "--yes", "--detach", "--fund", "1h")

        assert updated.status is ExitStatus.OK, updated.err
        assert "2 -> 3 x 500m cpu" in updated.out and "nothing runs until it is matched" in updated.out
        (after,) = await groups_when(here, lambda groups: len(groups) == 1)
        assert after["order"] != before["order"] and after["state"] == "lease-active"


async def test_update__lease_that_ended_by_itself__is_ordered_again(tmp_path):
    async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path) as providers:
        (tmp_path / "moorage.yml").write_text(FILE.replace("region: local", "region: local\n      persist: false"))
        await deployed(here)
        providers[0].fail()
        await here.chain.mine(PATIENT_PERIOD + 1)
        await groups_when(here, lambda groups: groups[0]["state"] == "lease-stale")

        planned = await here.tenant.does("plan")
        updated = await here.tenant.does("update", "--yes", "--detach", "--fund", "1h")

        assert "its lease has ended (lease-stale): it is ordered again" in planned.out
        assert updated.status is ExitStatus.OK, updated.err
        assert (await group_of(here))["provider"] == 2


async def test_update__wait_duration__stays_and_both_commands_say_so(tmp_path):
    async with world(tmp_path) as here:
        await here.tenant.does("create", "--yes", "--fund", "1h")
        (tmp_path / "moorage.yml").write_text(FILE.replace("wait-duration: 4", "wait-duration: 5"))

        planned = await here.tenant.does("plan")
        taken = await here.tenant.does("create")

        assert "wait-duration: 4 blocks stay" in planned.out and "nothing to update" in planned.out
        assert taken.status is ExitStatus.OK and "wait-duration stays 4 blocks, not 5" in taken.err


async def test_update__nothing_deployed__says_so(tmp_path):
    async with world(tmp_path) as here:
        result = await here.tenant.does("update", "--yes")

        assert_failed(result, ExitStatus.ERROR, "is not deployed: `moorage deploy -f moorage.yml`")


async def refused(sender: Sender, calls: Sequence[Call], most_wei: int | None) -> list[Refused]:
    return [Refused(call, "not today") for call in calls]


async def test_update__exchange_refuses__the_record_is_as_before(tmp_path, monkeypatch):
    async with world(tmp_path, tip=10**18) as here:
        assert (await here.tenant.does("create", "--yes", "--fund", "1h")).status is ExitStatus.OK
        (record,) = here.tenant.state.rglob("*.json")
        before = record.read_bytes()
        cheap = NEWER.replace("collateral: 1d", "collateral: 0.1")
        (tmp_path / "moorage.yml").write_text(cheap)

        for way in (("--yes", "--detach"), ("--dry-run",), ("--unsigned-out", "update.json")):
            result = await here.tenant.does("update", *way)

            assert result.status is ExitStatus.INVALID_FILE and "raise pricing.collateral" in result.err
            assert record.read_bytes() == before
        (tmp_path / "moorage.yml").write_text(NEWER)
        monkeypatch.setattr(Sender, "send_all", refused)
        refused_later = await here.tenant.does("update", "--yes", "--detach")
        declined = await here.tenant.does("update", typed="n\n")

        assert_failed(refused_later, ExitStatus.REFUSED, "not today")
        assert declined.status is ExitStatus.ABORTED and record.read_bytes() == before


async def test_update__to_be_signed_elsewhere__sends_nothing_and_keeps_the_manifest(tmp_path):
    async with world(tmp_path) as here:
        assert (await here.tenant.does("create", "--yes", "--fund", "1h")).status is ExitStatus.OK
        (only,) = await here.deployments()
        (tmp_path / "moorage.yml").write_text(NEWER)

        shown = await here.tenant.does("update", "--dry-run")
        (record,) = here.tenant.state.rglob(f"{str(only['deployment'])[2:]}.json")
        before = record.read_text()
        written = await here.tenant.does("update", "--unsigned-out", "update.json")

        assert (shown.status, written.status) == (ExitStatus.OK, ExitStatus.OK), written.err
        assert "nginx:1.23" not in before and "nginx:1.23" in record.read_text() and "nginx:1.22" in record.read_text()
        assert (tmp_path / "update.json").exists()
        assert (await here.deployments())[0]["version"] == only["version"]


# ------------------------------------------------------------------ managers


async def appoint(here: World, manager: LocalAccount, permissions: int, last_block: int = 2**40 - 1) -> str:
    """Let somebody manage the tenant's deployment, and return its id."""
    (mine,) = await here.deployments()
    identifier = str(mine["deployment"])
    deployment = bytes.fromhex(identifier[2:])
    call = here.exchange.call("set_manager", deployment, manager.address, permissions, last_block, 10**18)
    await here.chain.transact(here.chain.tenant, call)
    return identifier


@pytest.mark.parametrize("permissions", [FUND, SCALE])
async def test_e01_update__by_a_manager_that_may_not__is_refused(tmp_path, permissions):
    async with world(tmp_path) as here:
        await here.tenant.does("create", "--yes", "--fund", "1h")
        manager, identifier = await managing(here, tmp_path, permissions)
        (tmp_path / "moorage.yml").write_text(NEWER)

        result = await manager.does("update", "--yes", "--deployment", identifier)

        assert_failed(result, ExitStatus.REFUSED, "deployments: not permitted", "UPDATE for a version")
        assert not list(manager.state.rglob("*.json"))


async def test_e01_update__by_a_manager__is_delivered_runs_and_is_funded_until_its_time_is_over(tmp_path):
    async with (
        world(tmp_path, block_time=BLOCK_SECONDS) as here,
        crew(here.chain, here.market, tmp_path, (80,)) as crewed,
    ):
        await deployed(here)
        await here.tenant.does("register", "--deposit", "10", "--yes")
        await give_tokens(here.chain, here.market, here.chain.stranger.address, 10)
        manager, identifier = await managing(here, tmp_path, UPDATE | FUND)
        (tmp_path / "moorage.yml").write_text(NEWER)

        updated = await manager.does("update", "--yes", "--detach", "--deployment", identifier)
        seen = await manager.does("status")
        funded = await manager.does("fund", "--for", "1h", "--yes")
        await appoint(here, here.chain.stranger, UPDATE, last_block=1)
        expired = await manager.does("status", "--deployment", identifier)

        assert updated.status is ExitStatus.OK, updated.err
        assert "manifest delivered to provider 1" in updated.out and "all workloads run" in updated.out
        (encoded,) = [await crewed[0].store.get(lease) for lease in await crewed[0].store.leases()]
        assert encoded is not None and b"nginx:1.23" in encoded
        assert "  web  running" in seen.out, seen.out
        assert funded.status is ExitStatus.OK and "from the tenant's account, as its manager" in funded.out, funded.err
        assert (await here.account()).available < 9.5 * 10**18
        assert await here.token.balance(None, Address(here.chain.stranger.address)) == 10 * 10**18
        (record,) = manager.state.rglob("*.json")
        assert (record.parent.name, record.stem) == (here.address, identifier[2:])
        refusal = "the signer is not the tenant of this lease, nor a manager that may update"
        assert "running" not in expired.out and refusal in " ".join(expired.out.split()), expired.out


async def managing(here: World, folder: Path, permissions: int) -> tuple[Person, str]:
    """Return a manager of the tenant's deployment, and the deployment's id."""
    stranger = here.chain.stranger
    identifier = await appoint(here, stranger, permissions)
    manager = here.tenant.having(KEY_FILE=key_file(folder, stranger), MARKET=str(folder / "deployments/31337.json"))
    return replace(manager, home=folder / "elsewhere"), identifier
