"""E-mails as files."""

from __future__ import annotations

import email
import email.policy
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest

from authmw.drive import step
from authmw.errors import Misconfigured, SendingFailed
from authmw.ports import EmailMessage, EmailSender
from authmw_adapters.files import FileEmailSender

MESSAGE = EmailMessage(
    to="ada@example.org",
    subject="Sign in",
    text="Hello\n",
    html="<p>Hello</p>",
    message_id="outgoing-test-1234",
    date=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
)


def test_a_message_becomes_a_file_that_a_mail_program_opens(tmp_path: Path) -> None:
    sender: EmailSender = FileEmailSender(
        tmp_path / "outbox" / "mail", from_address="auth@example.com", from_name="Acme"
    )
    step(sender.send(MESSAGE))
    [path] = (tmp_path / "outbox" / "mail").iterdir()
    document = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)

    assert sender.io == "blocking"
    assert path.suffix == ".eml"
    assert str(document["To"]) == "ada@example.org"
    assert str(document["From"]) == "Acme <auth@example.com>"
    assert str(document["Subject"]) == "Sign in"
    assert document.get_body(("plain",)).get_content().strip() == "Hello"
    assert document.get_body(("html",)).get_content().strip() == "<p>Hello</p>"


def test_only_its_owner_reads_a_file(tmp_path: Path) -> None:
    step(FileEmailSender(tmp_path).send(MESSAGE))
    [path] = tmp_path.iterdir()

    assert path.stat().st_mode & 0o077 == 0


def test_one_message_to_several_recipients_becomes_several_files(tmp_path: Path) -> None:
    sender = FileEmailSender(tmp_path)
    step(sender.send(MESSAGE))
    step(sender.send(attrs.evolve(MESSAGE, to="eve@example.net")))

    assert len(list(tmp_path.glob("*.eml"))) == 2


def test_names_sort_by_the_messages_dates(tmp_path: Path) -> None:
    sender = FileEmailSender(tmp_path)
    for minutes in (3, 1, 2):
        step(sender.send(attrs.evolve(MESSAGE, date=MESSAGE.date + timedelta(minutes=minutes))))
    dates = [email.message_from_bytes(path.read_bytes())["Date"] for path in sorted(tmp_path.iterdir())]

    assert [date[17:22] for date in dates] == ["12:31", "12:32", "12:33"]


def test_many_threads_leave_whole_files_only(tmp_path: Path) -> None:
    sender = FileEmailSender(tmp_path)
    threads = [threading.Thread(target=lambda: [step(sender.send(MESSAGE)) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(list(tmp_path.glob("*.eml"))) == 40
    assert list(tmp_path.glob(".*")) == []


def test_a_folder_that_cannot_be_written_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SendingFailed) as failed:
        step(FileEmailSender(tmp_path / "file").send(MESSAGE))

    assert failed.value.retryable
    assert failed.value.__context__ is None
    assert str(tmp_path) not in str(failed.value)


@pytest.mark.parametrize(
    "to", ["ada@example.org\r\nBcc: eve@example.net", "ada@example.org, eve@example.net", "../../x", ""]
)
def test_what_is_not_one_address_leaves_no_file(to: str, tmp_path: Path) -> None:
    with pytest.raises(SendingFailed) as failed:
        step(FileEmailSender(tmp_path).send(attrs.evolve(MESSAGE, to=to)))

    assert not failed.value.retryable
    assert list(tmp_path.iterdir()) == []


def test_a_sender_that_is_not_one_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        FileEmailSender(tmp_path, from_address="a@example.com, b@example.com")
