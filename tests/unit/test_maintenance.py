"""What an operator asks of a running daemon, through its data directory."""

from __future__ import annotations

from pathlib import Path

from moorage.maintenance import Maintenance


def test_drain__on_and_off__is_seen_by_the_running_program(tmp_path: Path) -> None:
    operator, daemon = Maintenance(tmp_path / "data"), Maintenance(tmp_path / "data")

    assert not daemon.is_draining
    operator.drain(True)
    operator.drain(True)
    assert daemon.is_draining
    operator.drain(False)
    operator.drain(False)
    assert not daemon.is_draining


def test_reconcile__asked_for__is_taken_once(tmp_path: Path) -> None:
    operator, daemon = Maintenance(tmp_path), Maintenance(tmp_path)
    operator.ask_reconcile()

    assert (daemon.take_reconcile(), daemon.take_reconcile()) == (True, False)


def test_drain__directory_is_a_file__changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    daemon = Maintenance(tmp_path / "data")

    assert (daemon.is_draining, daemon.take_reconcile()) == (False, False)
