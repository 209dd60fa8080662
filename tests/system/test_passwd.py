"""sluice passwd: users are added, changed and deleted; asked for on a terminal, or read from stdin."""
import base64
import concurrent.futures
import fcntl
import hashlib
import os
import stat
import subprocess
import termios

import pytest

from support.agent import SLUICE, sluice
from support.processes import wait_until


@pytest.fixture
def users(tmp_path):
    return tmp_path / "users"


def passwd(file, user, *options, password=""):
    """Runs `sluice passwd` with the password on stdin."""
    return subprocess.run([SLUICE, "passwd", str(file), user, *options], input=password, capture_output=True, text=True,
                          timeout=60, check=False)


def set_password(file, user, password):
    result = passwd(file, user, "--password-stdin", password=password + "\n")
    assert result.returncode == 0, result.stderr
    return result.stdout


def is_password(line, user, password):
    """As another implementation of scrypt sees it."""
    name, _, phc = line.partition(":")
    _, scheme, cost, salt, digest = phc.split("$")
    cost = dict(part.split("=") for part in cost.split(","))
    derived = hashlib.scrypt(password.encode(), salt=base64.b64decode(salt + "=="), n=2 ** int(cost["ln"]),
                             r=int(cost["r"]), p=int(cost["p"]), dklen=32, maxmem=1 << 26)
    return name == user and scheme == "scrypt" and base64.b64encode(derived).decode().rstrip("=") == digest


class Terminal:
    """`sluice passwd` on a terminal of its own."""

    def __init__(self, *arguments):
        # Both ends stay open: the last one to close the other end would put the settings back.
        self.fd, self.other_end = os.openpty()
        self.process = subprocess.Popen(
            [SLUICE, "passwd", *map(str, arguments)], stdin=self.other_end, stdout=self.other_end,
            stderr=self.other_end, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.set_blocking(self.fd, False)
        self.output = ""

    def read(self):
        try:
            self.output += os.read(self.fd, 4096).decode()
        except BlockingIOError:
            pass
        return self.output

    def wait_for(self, text):
        wait_until(lambda: text in self.read(), 20, lambda: f"{text!r} in {self.output!r}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def shows_typing(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def end(self):
        """The exit status; what is left of the output is read."""
        status = self.process.wait(20)
        self.read()
        return status

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.other_end)
        os.close(self.fd)


@pytest.fixture
def terminal():
    made = []

    def start(*arguments):
        made.append(Terminal(*arguments))
        return made[-1]
    yield start
    for each in made:
        each.close()


def test_a_missing_file_is_made_for_its_owner_only(users):
    assert set_password(users, "alice", "secret") == f"added user alice to {users}\n"
    assert stat.S_IMODE(users.stat().st_mode) == 0o600
    line, = users.read_text().splitlines()
    assert is_password(line, "alice", "secret") and not is_password(line, "alice", "Secret")
    assert list(users.parent.iterdir()) == [users]


def test_comments_order_mode_and_other_users_stay(users):
    for user in ("alice", "bob", "carol"):
        set_password(users, user, f"old-{user}")
    alice, bob, carol = users.read_text().splitlines()
    users.write_text(f"# operators\n\n{alice}\n# line 2\n{bob}\n{carol}\n")
    users.chmod(0o640)
    assert set_password(users, "bob", "new") == f"changed the password of user bob in {users}\n"
    lines = users.read_text().splitlines()
    assert lines[:4] == ["# operators", "", alice, "# line 2"] and lines[5:] == [carol]
    assert is_password(lines[4], "bob", "new")
    assert stat.S_IMODE(users.stat().st_mode) == 0o640
    deleted = passwd(users, "alice", "--delete")
    assert deleted.returncode == 0 and deleted.stdout == f"deleted user alice from {users}\n"
    assert users.read_text().splitlines() == ["# operators", "", "# line 2", *lines[4:]]


def test_one_line_of_stdin_is_the_password(users):
    cases = {"two words ": "two words ", "first\nsecond": "first", "dos\r\n": "dos", "pässwörd": "pässwörd"}
    for given, password in cases.items():
        assert passwd(users, "alice", "--password-stdin", password=given).returncode == 0
        assert is_password(users.read_text().strip(), "alice", password), given


def test_the_terminal_asks_twice_and_shows_nothing(users, terminal):
    command = terminal(users, "alice")
    command.wait_for("New password: ")
    assert not command.shows_typing()
    command.type("secret\n")
    command.wait_for("Again: ")
    command.type("secret\n")
    command.wait_for("added user alice")
    assert command.end() == 0
    assert command.shows_typing() and "secret" not in command.output
    assert is_password(users.read_text().strip(), "alice", "secret")


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("prompt", ["New password: ", "Again: "])
def test_the_terminal_is_itself_again_after_an_interruption(how, prompt, users, terminal):
    command = terminal(users, "alice")
    command.wait_for("New password: ")
    if prompt == "Again: ":
        command.type("secret\n")
    command.wait_for(prompt)
    command.type("sec")
    if how == "Ctrl-C":
        command.type("\x03")
    else:
        command.process.terminate()
    assert command.end() == 130
    assert command.shows_typing()
    command.wait_for("nothing was changed")  # a terminal's output may come after the end of who wrote it
    assert not users.exists()


@pytest.mark.parametrize("typed, said", [
    (["one\n", "two\n"], "differ"),
    (["\n"], "no password"),
    (["\x04"], "no password"),
    (["one\n", "\n"], "no password"),
])
def test_nothing_is_changed_by_what_is_not_typed_twice(typed, said, users, terminal):
    command = terminal(users, "alice")
    for prompt, text in zip(("New password: ", "Again: "), typed):
        command.wait_for(prompt)
        command.type(text)
    command.wait_for(said)
    assert command.end() == 1
    assert command.shows_typing() and not users.exists()


def test_what_is_wrong_is_said_in_one_line_and_changes_nothing(users):
    set_password(users, "alice", "secret")
    good = users.read_text()

    def refused(*arguments, status, said, password="x\n"):
        result = passwd(*arguments, password=password)
        assert result.returncode == status and said in result.stderr, result.stderr
        assert len(result.stderr.splitlines()) == 1 and not result.stdout
        assert users.read_text() == good

    refused(users, "bob", "--delete", status=1, said=f"there is no user bob in {users}")
    refused(users, "bob", status=1, said="--password-stdin")  # stdin is no terminal
    refused(users, "bob", "--password-stdin", password="", status=1, said="no password")
    refused(users, "bob", "--password-stdin", password="\n", status=1, said="no password")
    refused(users, "bob", "--password-stdin", password="x" * 65_536, status=1, said="at most 65535 bytes")
    refused(users, "a:b", "--password-stdin", status=2, said='has no ":"')
    refused(users, "a\x1b[2J", "--password-stdin", status=2, said="\\x1b")
    refused(users, "", "--delete", status=2, said="not empty")
    refused(users, "bob", "--delete", "--password-stdin", status=2, said="--delete")
    refused(users.parent / "none" / "users", "bob", "--password-stdin", status=1, said="No such file")
    refused("/dev/null", "bob", "--password-stdin", status=1, said="not a regular file")
    assert list(users.parent.iterdir()) == [users]


def test_a_damaged_file_is_left_as_it_is(users):
    users.write_text("# c\nalice:secret\n")
    result = passwd(users, "bob", "--password-stdin", password="x\n")
    assert result.returncode == 1 and f"{users}:2: user alice: no $scrypt$ hash" in result.stderr
    assert users.read_text() == "# c\nalice:secret\n"


def test_who_changes_the_file_at_the_same_time_waits(users):
    names = [f"user-{number}" for number in range(8)]
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: set_password(users, name, name), names))
    lines = users.read_text().splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == names


def test_help_has_an_example():
    result = sluice("passwd", "--help")
    assert result.returncode == 0 and "sluice passwd /etc/sluice/users alice" in result.stdout
    assert sluice("passwd").returncode == 2
