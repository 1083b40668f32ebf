"""What the tenant's machine remembers of its deployments."""

from __future__ import annotations

import json
import stat
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest

from cli.failures import Failure
from cli.records import Record, Records, Revision
from moorage.chain.market import Market
from moorage.types import Address, DeploymentId, Version
from tests.factories.deployments import FACILITATOR, PARAMETERS, TENANT

EXCHANGE = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
MARKET = Market(31337, Fraction(1), 0, EXCHANGE, EXCHANGE, EXCHANGE, "MOOR", PARAMETERS, {})


def record(number: int, file: str = "/app/moorage.yml") -> Record:
    return Record(
        deployment=DeploymentId(bytes([number]) * 32),
        file=Path(file),
        salt=b"\x05" * 32,
        manifest='{"name":"käse"}'.encode(),
        terms_digest=b"\x06" * 32,
        created_seconds=1_700_000_000 + number,
    )


@pytest.fixture
def records(tmp_path) -> Records:
    return Records(tmp_path, MARKET, TENANT)


def test_records__saved__come_back_whole_and_newest_first(records):
    for number in (1, 3, 2):
        records.save(record(number))

    assert records.all() == (record(3), record(2), record(1))
    assert records.find(record(2).deployment) == record(2)


def test_records__saved__nobody_else_may_read_them(records, tmp_path):
    records.save(record(1))

    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600]
    assert stat.S_IMODE(paths[0].parent.stat().st_mode) == 0o700


def test_records__of_a_file__are_those_of_its_path(records):
    records.save(record(1, "/app/moorage.yml"))
    records.save(record(2, "/other/moorage.yml"))

    assert records.of_file(Path("/app/../app/moorage.yml")) == (record(1),)


@pytest.mark.parametrize(
    "others",
    [
        lambda path: Records(path, MARKET, FACILITATOR),
        lambda path: Records(path, Market(1, *[getattr(MARKET, name) for name in Market.__slots__[1:]]), TENANT),
    ],
)
def test_records__other_wallet_or_chain__are_apart(records, tmp_path, others):
    records.save(record(1))

    assert others(tmp_path).all() == ()


def test_records__removed__are_gone_and_may_be_removed_again(records):
    records.save(record(1))

    records.remove(record(1).deployment)
    records.remove(record(1).deployment)

    assert records.all() == () and records.find(record(1).deployment) is None


def test_records__removed_by_another_run_while_they_are_read__are_left_out(records, monkeypatch):
    for number in (1, 2):
        records.save(record(number))
    read = Path.read_bytes

    def read_late(path: Path) -> bytes:
        records.remove(record(1).deployment)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_late)

    assert records.all() == (record(2),)
    assert records.find(record(1).deployment) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"format": 2}', b'{"format": 1, "file": 5}', b"\xff"])
def test_records__not_a_record__is_told_with_its_path(records, tmp_path, content):
    records.save(record(1))
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(content)

    with pytest.raises(Failure, match="not a record of a deployment") as caught:
        records.all()

    assert str(path) in caught.value.message


@pytest.mark.parametrize("before", [None, record(1, "/other/moorage.yml")])
def test_records__provisional__stay_if_it_went_well_and_are_what_they_were_if_not(records, before):
    records.put_back(record(1).deployment, before)

    with suppress(KeyboardInterrupt), records.provisional(record(1)):
        assert records.find(record(1).deployment) == record(1)
        raise KeyboardInterrupt
    failed = records.find(record(1).deployment)
    with records.provisional(record(1)):
        pass

    assert failed == before and records.find(record(1).deployment) == record(1)


def test_lock__two_at_once__the_second_is_refused(records):
    with records.lock(), pytest.raises(Failure, match="another `moorage`"), records.lock():
        pass

    with records.lock():
        pass


# ------------------------------------------------------------------ versions of one deployment

OLD = Revision(b'{"name":"old"}', b"\x07" * 32)


def test_records__updated__keep_every_version_that_may_be_on_chain(records):
    updated = record(1).updated(OLD.manifest, OLD.terms_digest)

    records.save(updated)

    found = records.find(record(1).deployment)
    assert found == updated
    assert (found.manifest, found.terms_digest) == (OLD.manifest, OLD.terms_digest)
    assert [each.version for each in found.revisions] == [OLD.version, *(each.version for each in record(1).revisions)]


def test_records__version_on_chain__is_found_by_it_and_no_other():
    updated = record(1).updated(OLD.manifest, OLD.terms_digest)

    assert updated.revision(OLD.version) == OLD
    assert updated.revision(record(1).revisions[0].version) == record(1).revisions[0]
    assert updated.revision(Version(b"\x09" * 32)) is None


def test_records__narrowed_to_a_version__forget_the_others():
    updated = record(1).updated(OLD.manifest, OLD.terms_digest)

    assert updated.narrowed(record(1).revisions[0]) == record(1)


def test_records__written_by_the_first_format__are_read(records, tmp_path):
    records.save(record(1))
    (path,) = tmp_path.rglob("*.json")
    document = json.loads(path.read_text())
    del document["earlier"]
    path.write_text(json.dumps(document | {"format": 1}))

    assert records.all() == (record(1),)
