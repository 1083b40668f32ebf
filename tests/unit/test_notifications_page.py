"""docs/notifications.md: its code does what it says, its tables are complete, its unit is one that systemd reads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cli.core.notices import Kind
from cli.core.webhook_signature import headers, key_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"id": "evt_1"}'


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture
def is_genuine() -> Any:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    return names["is_genuine"]


def test_events__of_the_page__are_all():
    assert re.findall(r"^\| `([a-z.]+)` \|", PAGE, re.MULTILINE) == [
        *(kind.value for kind in list(Kind)[:9]),
        "provider.changed",
        "lease.healed",
        "deployment.closed",
    ]


def test_h33_snippet__genuine_request__is_told_from_altered_old_and_foreign_ones(is_genuine):
    now = int(time.time())
    good = headers("evt_1", now, BODY, key_of(SECRET))
    twice = {**good, "webhook-signature": f"v1,AAAA v1a,BBBB {good['webhook-signature']}"}

    assert is_genuine(good, BODY, SECRET) and is_genuine(twice, BODY, SECRET)
    assert not is_genuine(good, BODY + b" ", SECRET)
    assert not is_genuine({**good, "webhook-id": "evt_2"}, BODY, SECRET)
    assert not is_genuine(headers("evt_1", now - 301, BODY, key_of(SECRET)), BODY, SECRET)
    assert not is_genuine(headers("evt_1", now, BODY, b"another key of 24 bytes."), BODY, SECRET)
    assert not is_genuine({**good, "webhook-signature": "v2," + good["webhook-signature"][3:]}, BODY, SECRET)


def test_unit__of_the_page__is_read_by_systemd_without_complaint(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    unit = tmp_path / "moorage-notify.service"
    unit.write_text(re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", block("ini"), flags=re.MULTILINE))

    command = ["systemd-analyze", "--user", "verify", str(unit)]
    here = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=here)

    assert (ended.returncode, ended.stderr) == (0, "")
