"""A display nobody sees (Xvfb), and the hands of somebody who sits before it: they type, and close windows.

Synthetic events of Xlib (XSendEvent(3)) need no package but the one that Tk needs itself. There is no window manager;
what one does when its button is clicked is to send the message WM_DELETE_WINDOW (ICCCM, 4.2.8.1).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cli.program import DEADLINE

XVFB = shutil.which("Xvfb")
XLIB = ctypes.util.find_library("X11")

_KEY_PRESS, _KEY_RELEASE, _MAP_NOTIFY, _CLIENT_MESSAGE = 2, 3, 19, 33  # X.h
_SUBSTRUCTURE_NOTIFY, _KEY_PRESS_MASK = 1 << 19, 1 << 0
_REVERT_TO_POINTER_ROOT = 1
_KEYS = {"\n": 0xFF0D, " ": 0x20}  # keysymdef.h; letters and digits are themselves


class _Key(ctypes.Structure):
    """XKeyEvent."""

    _fields_ = [
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong), ("root", ctypes.c_ulong), ("subwindow", ctypes.c_ulong), ("time", ctypes.c_ulong),
        ("x", ctypes.c_int), ("y", ctypes.c_int), ("x_root", ctypes.c_int), ("y_root", ctypes.c_int),
        ("state", ctypes.c_uint), ("keycode", ctypes.c_uint), ("same_screen", ctypes.c_int),
    ]  # fmt: skip


class _Message(ctypes.Structure):
    """XClientMessageEvent. MapNotify has its `window` at the place of `message_type`."""

    _fields_ = [
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong), ("message_type", ctypes.c_ulong), ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
    ]  # fmt: skip


class _Event(ctypes.Union):
    """XEvent."""

    _fields_ = [("type", ctypes.c_int), ("key", _Key), ("message", _Message), ("pad", ctypes.c_long * 24)]


class Hands:
    """A client of the display. Make it before the program whose window is waited for."""

    def __init__(self, display: str) -> None:
        assert XLIB is not None
        self._x: Any = ctypes.CDLL(XLIB)
        self._x.XOpenDisplay.restype = ctypes.c_void_p
        for name in ("XDefaultRootWindow", "XInternAtom"):
            getattr(self._x, name).restype = ctypes.c_ulong
        opened = self._x.XOpenDisplay(display.encode())
        assert opened, f"no display {display}"
        self._display = ctypes.c_void_p(opened)
        self._root = ctypes.c_ulong(self._x.XDefaultRootWindow(self._display))
        self._x.XSelectInput(self._display, self._root, ctypes.c_long(_SUBSTRUCTURE_NOTIFY))
        self._x.XSync(self._display, 0)

    def window(self) -> int:
        """The next window that appears."""
        event = _Event()
        while True:
            if not self._x.XPending(self._display):
                connection = self._x.XConnectionNumber(self._display)
                assert select.select([connection], [], [], DEADLINE)[0], "no window appeared"
                continue
            self._x.XNextEvent(self._display, ctypes.byref(event))
            if event.type == _MAP_NOTIFY and event.message.window == self._root.value:
                return int(event.message.message_type)

    def type_into(self, window: int, text: str) -> None:
        """Press the keys for `text`: small letters, digits, blanks and line ends."""
        self._x.XSetInputFocus(self._display, ctypes.c_ulong(window), _REVERT_TO_POINTER_ROOT, ctypes.c_ulong(0))
        for character in text:
            code = self._x.XKeysymToKeycode(self._display, ctypes.c_ulong(_KEYS.get(character, ord(character))))
            for kind in (_KEY_PRESS, _KEY_RELEASE):
                event = _Event()
                event.key = _Key(type=kind, window=window, root=self._root.value, keycode=code & 0xFF, same_screen=1)
                self._send(window, _KEY_PRESS_MASK, event)

    def close(self, window: int) -> None:
        """Click the button that closes it."""
        protocols, delete = (
            self._x.XInternAtom(self._display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
        )
        event = _Event()
        event.message = _Message(type=_CLIENT_MESSAGE, window=window, message_type=protocols, format=32)
        event.message.data[0] = delete
        self._send(window, 0, event)

    def _send(self, window: int, mask: int, event: _Event) -> None:
        self._x.XSendEvent(self._display, ctypes.c_ulong(window), 1, ctypes.c_long(mask), ctypes.byref(event))
        self._x.XFlush(self._display)

    def leave(self) -> None:
        """Close the connection to the display."""
        self._x.XCloseDisplay(self._display)


@contextmanager
def x_display() -> Iterator[str]:
    """Run a display of its own; its name, for DISPLAY."""
    assert XVFB is not None
    reading, writing = os.pipe()
    command = [XVFB, "-displayfd", str(writing), "-screen", "0", "1024x768x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        try:
            with open(reading) as said:
                assert select.select([said], [], [], DEADLINE)[0], "Xvfb does not say which display it is"
                yield f":{said.readline().strip()}"
        finally:
            server.kill()
