"""A provider's authorities on disk: what works while the root's key is elsewhere, and what is told when it is not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from moorage import pki
from moorage.private_file import write_private
from moorage.types import Address
from provider_agent.registration import Registration, RegistrationError, load_own_root
from provider_agent.shell.authority import Authority, load, load_root_certificate, remove_root, store_root
from tests.markets import US

EXCHANGE = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
NOW = datetime.now(UTC)


@pytest.fixture
def root(tmp_path: Path) -> pki.Credential:
    root = pki.create_root(US, EXCHANGE, NOW)
    store_root(root, tmp_path / "root.pem")
    return root


def test_h22_authority__key_of_the_root_is_taken_away__goes_on_issuing(root: pki.Credential, tmp_path: Path) -> None:
    first = Authority(tmp_path, root.certificate, NOW).issuer
    (tmp_path / "root.pem").unlink()

    again = Authority(tmp_path, root.certificate, NOW + timedelta(days=300))

    assert again.issuer.der == first.der
    assert pki.issue_server(again.issuer, NOW).intermediates == (first.certificate,)
    assert not again.renew_if_due(NOW + timedelta(days=300))


def test_h22_authority__two_thirds_of_the_year_are_over__is_renewed_with_the_key(
    root: pki.Credential, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, root.certificate, NOW)

    assert not authority.renew_if_due(NOW + timedelta(days=240))
    assert authority.renew_if_due(NOW + timedelta(days=250))
    assert authority.expires > NOW + timedelta(days=600)
    assert pki.load(tmp_path / "intermediate.pem").der == authority.issuer.der


def test_h22_authority__neither_intermediate_nor_key__says_what_to_bring(root: pki.Credential, tmp_path: Path) -> None:
    (tmp_path / "root.pem").unlink()

    with pytest.raises(pki.PkiError, match=r"root\.pem is not here"):
        Authority(tmp_path, root.certificate, NOW)


def test_h22_authority__intermediate_of_another_root__is_replaced(root: pki.Credential, tmp_path: Path) -> None:
    Authority(tmp_path, root.certificate, NOW)
    other = pki.create_root(US, EXCHANGE, NOW)
    remove_root(tmp_path / "root.pem")
    store_root(other, tmp_path / "root.pem")

    authority = Authority(tmp_path, other.certificate, NOW)

    authority.issuer.certificate.verify_directly_issued_by(other.certificate)


def test_h22_authority__key_of_another_root__is_not_used(root: pki.Credential, tmp_path: Path) -> None:
    other = pki.create_root(US, EXCHANGE, NOW)

    with pytest.raises(pki.PkiError, match="not the key of the registered root"):
        Authority(tmp_path, other.certificate, NOW)


def test_authority__registered_before_there_was_a_certificate_file__writes_it(tmp_path: Path) -> None:
    root = pki.create_root(US, EXCHANGE, NOW)
    pki.store(root, tmp_path / "root.pem")

    Authority(tmp_path, root.certificate, NOW)
    (tmp_path / "root.pem").unlink()

    assert load_root_certificate(tmp_path / "root.pem") == root.certificate


def test_h22_load_root_certificate__key_and_certificate_do_not_belong_together__is_an_error(
    root: pki.Credential, tmp_path: Path
) -> None:
    pki.store(pki.create_root(US, EXCHANGE, NOW), tmp_path / "root.pem")

    with pytest.raises(pki.PkiError, match="different roots"):
        load_root_certificate(tmp_path / "root.pem")


@pytest.mark.parametrize(
    ("has_key", "remedy"), [(True, "move it away, a new one is made"), (False, "restore its backup, or bring")]
)
def test_h22_authority__intermediate_is_garbage__says_what_to_do(
    root: pki.Credential, tmp_path: Path, has_key: bool, remedy: str
) -> None:
    write_private(tmp_path / "intermediate.pem", b"garbage")
    if not has_key:
        (tmp_path / "root.pem").unlink()

    with pytest.raises(pki.PkiError, match=rf"intermediate\.pem holds no usable key and certificate: {remedy}"):
        Authority(tmp_path, root.certificate, NOW)

    if has_key:
        (tmp_path / "intermediate.pem").unlink()
        Authority(tmp_path, root.certificate, NOW)  # as it was told


@pytest.mark.parametrize("name", ["server.pem", "client.pem"])
def test_h22_load__leaf_is_garbage__says_what_to_do(tmp_path: Path, name: str) -> None:
    write_private(tmp_path / name, b"garbage")

    with pytest.raises(pki.PkiError, match=f"{name} holds no usable key and certificate: remove it, the agent makes"):
        load(tmp_path / name)


def test_h22_load__others_may_read_it__says_the_mode_alone(root: pki.Credential, tmp_path: Path) -> None:
    (tmp_path / "root.pem").chmod(0o644)

    with pytest.raises(pki.PkiError, match=r"must be 0600$"):
        load(tmp_path / "root.pem")


def test_h22_load_root_certificate__garbage__says_what_to_do(root: pki.Credential, tmp_path: Path) -> None:
    (tmp_path / "root.crt").write_bytes(b"garbage")
    with pytest.raises(pki.PkiError, match=r"root\.crt is not a certificate: remove it, it is written again"):
        load_root_certificate(tmp_path / "root.pem")

    (tmp_path / "root.pem").write_bytes(b"garbage")
    with pytest.raises(pki.PkiError, match=r"root\.pem holds no usable key and certificate: restore its backup"):
        load_root_certificate(tmp_path / "root.pem")

    (tmp_path / "root.pem").unlink()
    with pytest.raises(pki.PkiError, match=r"root\.crt is not a certificate: restore its backup"):
        load_root_certificate(tmp_path / "root.pem")


def test_g26_root__on_disk__is_private(root: pki.Credential, tmp_path: Path) -> None:
    Authority(tmp_path, root.certificate, NOW)

    assert {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == dict.fromkeys(
        ("root.pem", "root.crt", "intermediate.pem"), "0o600"
    )


def test_load_own_root__certificate_that_names_nobody__is_told_with_its_file(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(x509.Name([]), x509.Name([]), key.public_key(), serial_number=1)
    made = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1)).sign(key, hashes.SHA256())
    (tmp_path / "root.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    settings: Any = SimpleNamespace(data_dir=tmp_path)

    with pytest.raises(RegistrationError, match=r"root\.pem: the certificate names nobody.*restore its own"):
        load_own_root(settings, Registration(EXCHANGE, US))
