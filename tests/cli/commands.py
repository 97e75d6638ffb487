"""`python3 -m reactor listen` and `connect`, run as a user runs them, with any standard streams; and their peers."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.cli.program import DEADLINE, ROOT

ANY_PORT = "127.0.0.1:0"

EVERY_BYTE = bytes(range(256)) + b"\r\n\n\x00\xff\x1a\x04"
"""What a terminal or a text mode would change."""

LARGE = EVERY_BYTE * 12_000
"""Bytes, 3.1 MB: many reads, and more than any of the buffers on the way."""


class Command:
    """A running command. Every warning is an error in it."""

    def __init__(
        self,
        *arguments: str,
        stdin: Any = subprocess.DEVNULL,
        stdout: Any = subprocess.PIPE,
        redirections: str = "",
        terminal: str = "",
    ) -> None:
        """`redirections` are a shell's; `terminal` is the path of one, which becomes its controlling terminal."""
        for signum, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
            if signal.getsignal(signum) is signal.SIG_IGN:  # a background job of a shell, nohup: a child inherits it
                signal.signal(signum, usual)
        command = [sys.executable, "-W", "error", "-m", "reactor", *arguments]
        if terminal:  # the first one that the leader of a session opens controls it: tty_ioctl(4)
            redirections = f"<{terminal} {redirections}"
        if redirections:
            command = ["sh", "-c", f'exec "$@" {redirections}', "sh", *command]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, start_new_session=bool(terminal)
        )
        self._watchdog = threading.Timer(DEADLINE, self.process.kill)
        self._watchdog.start()

    def address(self) -> tuple[str, int]:
        """Where it says that it listens."""
        return listening_at(self.error_line())

    def error_line(self) -> str:
        """The next line of its standard error."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().decode()

    def type_in(self, data: bytes) -> None:
        """Write to its standard input, a pipe."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end_input(self) -> None:
        """Close its standard input, a pipe."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def read(self, size: int) -> bytes:
        """`size` bytes of its standard output, a pipe."""
        assert self.process.stdout is not None
        return self.process.stdout.read(size)

    def end_output(self) -> None:
        """Close the pipe that it writes its output to, as `head` does."""
        assert self.process.stdout is not None
        self.process.stdout.close()

    def end_errors(self) -> None:
        """Close the pipe that it writes its errors to."""
        assert self.process.stderr is not None
        self.process.stderr.close()

    def interrupt(self) -> None:
        """What the terminal does on Ctrl-C, and what it leads to; its output must fit into the pipes."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def finish(self) -> tuple[int, bytes, str]:
        """Its exit status, and the rest of its standard output and standard error."""
        for stream in ("stdin", "stdout", "stderr"):  # communicate() does not expect that one was closed before
            if getattr(getattr(self.process, stream), "closed", False):
                setattr(self.process, stream, None)
        out, err = self.process.communicate()
        return self.process.returncode, out or b"", (err or b"").decode()

    def peak_memory(self) -> int:
        """The most memory it has had so far, in bytes (proc(5), VmHWM)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        match = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert match is not None
        return int(match[1]) * 1024

    def __enter__(self) -> Command:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watchdog.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.finish()


def listening_at(line: str) -> tuple[str, int]:
    """The address in what `listen` says first."""
    match = re.fullmatch(r"listening at (127\.0\.0\.1):(\d+)\s*", line)
    assert match is not None, line
    return match[1], int(match[2])


class Listening:
    """The test itself as the peer that `connect` goes to."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(DEADLINE)
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def accept(self) -> socket.socket:
        """The next peer."""
        sock, _ = self.socket.accept()
        sock.settimeout(DEADLINE)
        return sock

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def calling(address: tuple[str, int]) -> socket.socket:
    """The test itself as the peer that comes to `listen`."""
    return socket.create_connection(address, timeout=DEADLINE)


def receive(sock: socket.socket, size: int | None = None) -> bytes:
    """`size` bytes, or all up to the end."""
    with sock.makefile("rb") as file:
        return file.read() if size is None else file.read(size)


def reset(sock: socket.socket) -> None:
    """End the connection with an RST: linger for no time at all (socket(7))."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()


def in_thread(function: Callable[..., object], *args: Any) -> threading.Thread:
    """Call it meanwhile."""
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


class Terminal:
    """A pseudo-terminal: `path` for the program, and the keyboard and the screen of it here."""

    def __init__(self) -> None:
        self.keyboard, self.program_end = os.openpty()
        self.path = os.ttyname(self.program_end)
        self.screen = b""

    def type_in(self, text: bytes) -> None:
        """Press these keys; b"\\x04" is Ctrl-D, b"\\x03" is Ctrl-C."""
        os.write(self.keyboard, text)

    def wait_for(self, pattern: bytes) -> re.Match[bytes]:
        """Watch the screen until it shows something new that matches, and return the match."""
        while (match := re.search(pattern, self.screen)) is None:
            ready, _, _ = select.select((self.keyboard,), (), (), DEADLINE)
            assert ready, f"no {pattern!r} in {self.screen!r}"
            self.screen += os.read(self.keyboard, 4096)
        self.screen = self.screen[match.end() :]
        return match

    def everything(self) -> bytes:
        """What has appeared on the screen and was not waited for, once the program is gone."""
        while select.select((self.keyboard,), (), (), 0)[0]:
            self.screen += os.read(self.keyboard, 4096)
        return self.screen

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.keyboard)
        os.close(self.program_end)
