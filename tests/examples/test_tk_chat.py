"""The window on the chat: beside a real chat, on a display that nobody sees."""

from __future__ import annotations

import gc
import os
import re
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest

from reactor import Reactor
from tests.cli.program import ADDRESS, DEADLINE, Program, run
from tests.examples.test_line_chat import chat_program, person
from tests.examples.x_display import XLIB, XVFB, Hands, x_display

try:
    import tkinter as tk

    from examples.tk_chat import KEPT, TkChat
    from examples.tk_host import TkHost
except ImportError as error:  # a Python without Tk
    pytest.skip(str(error), allow_module_level=True)
if XVFB is None:
    pytest.skip("Xvfb is not installed", allow_module_level=True)

MOST_EVENTS = 100_000
"""Of Tk, until something has to have happened."""


@pytest.fixture(scope="module", autouse=True)
def display() -> Iterator[str]:
    with x_display() as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPLAY", name)
        yield name


class TkWorld:
    """A root window, a reactor in its loop, and somebody who calls that loop."""

    def __init__(self) -> None:
        self.root = tk.Tk()
        self.reactor = Reactor()
        self.host = TkHost(self.reactor, self.root)
        self._ends = ExitStack()
        self._late = False
        alarm = self.root.after(int(DEADLINE * 1000), self._is_late)
        self._ends.callback(self.root.destroy)
        self._ends.callback(self.root.update_idletasks)  # what it leaves undone Tk complains about
        self._ends.callback(self.root.after_cancel, alarm)
        self._ends.callback(self.reactor.close)
        self._ends.callback(self.host.unwatch)

    def _is_late(self) -> None:
        self._late = True
        self.host.unwatch()  # if this is an update() that would never end, it ends
        self.root.quit()

    def mainloop(self) -> None:
        """Until somebody leaves."""
        self.root.mainloop()
        assert not self._late, "too late"

    def until(self, condition: Callable[[], object], *, most_events: int = MOST_EVENTS) -> None:
        """Let Tk do what there is to do, until that is true."""
        for _ in range(most_events):
            if condition():
                return
            assert not self._late, "too late"
            self.root.tk.dooneevent(0)  # sleeps until there is something
        raise AssertionError("that was enough")

    def close(self) -> None:
        """Harmless the second time."""
        self._ends.close()


@pytest.fixture
def world() -> Iterator[TkWorld]:
    it = TkWorld()
    yield it
    it.close()
    del it
    gc.collect()  # Tk's objects are cycles, and must be collected in this thread


class Sitter:
    """Somebody who sits before the window, and sees and does what one can see and do there."""

    def __init__(self, world: TkWorld, address: str) -> None:
        self.world = world
        self.chat = TkChat(world.reactor, world.root, address)
        self.until = world.until

    @property
    def lines(self) -> list[str]:
        return self.chat.text.get("1.0", "end").splitlines()[:-1]

    @property
    def status(self) -> str:
        return str(self.chat.status["text"])

    def says(self, text: str) -> None:
        self.chat.entry.insert("end", text)
        self.chat.say()

    def sees(self, line: str) -> None:
        self.until(lambda: line in self.lines)

    def sees_status(self, pattern: str) -> None:
        self.until(lambda: re.fullmatch(pattern, self.status))

    def is_called(self, name: str) -> None:
        self.until(lambda: str(self.chat.prompt["text"]) == name)

    def is_received_by(self, listener: socket.socket) -> socket.socket:
        self.until(lambda: select.select([listener], [], [], 0)[0])
        return listener.accept()[0]

    def clicks_close(self) -> None:
        """What Tk does when the window manager asks it to."""
        self.world.root.tk.eval(self.world.root.protocol("WM_DELETE_WINDOW"))


@pytest.fixture
def heard_bell(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []
    monkeypatch.setattr(tk.Misc, "bell", lambda *_: heard.append("bell"))
    return heard


@contextmanager
def chat_for(world: TkWorld) -> Iterator[str]:
    """A chat that outlives the window: it would wait for somebody who no longer looks."""
    with chat_program() as (_, address):
        try:
            yield address
        finally:
            world.close()


@contextmanager
def chat_of_a_test() -> Iterator[tuple[socket.socket, str]]:
    """A listening socket in place of the chat."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        yield listener, f"127.0.0.1:{listener.getsockname()[1]}"


# --- What is said, both ways ------------------------------------------------------------------------------------------


def test_what_is_typed_is_heard_and_what_is_said_is_shown(world: TkWorld) -> None:
    with chat_for(world) as address, person(address, "zoe") as zoe:
        ann = Sitter(world, address)
        assert ann.status == f"○ connecting to {address}"
        ann.sees("* welcome; what is your name?")
        assert ann.status == f"● connected to {address}"
        ann.says("ann")
        zoe.hears("* ann has joined")
        ann.is_called("ann")
        ann.chat.entry.insert(0, "by the key")
        ann.chat.entry.event_generate("<Return>")
        zoe.hears("<ann> by the key")
        buttons = [child for child in ann.chat.entry.master.winfo_children() if child.winfo_class() == "TButton"]
        ann.chat.entry.insert(0, "by the button")
        world.root.tk.call(str(buttons[0]), "invoke")
        zoe.hears("<ann> by the button")
        zoe.says("grüß dich 😀", "/msg ann psst")
        zoe.hears("<zoe> grüß dich 😀", "[to ann] psst")
        ann.sees("zoe  psst")
        ann.says("/msg zoe yes?")
        zoe.hears("[ann] yes?")
        ann.sees("to zoe  yes?")
        assert ann.lines == [
            "* welcome; what is your name?",
            "* ann has joined",
            "ann  by the key",
            "ann  by the button",
            "zoe  grüß dich 😀",
            "zoe  psst",
            "to zoe  yes?",
        ]
        assert ann.chat.text.tag_names("3.0") == ("own",) and ann.chat.text.tag_names("5.0") == ("name",)
        assert ann.chat.text.tag_names("6.end - 1 chars") == ("private",)


def test_a_name_that_the_chat_refuses_is_none(world: TkWorld) -> None:
    with chat_for(world) as address, person(address, "zoe") as zoe:
        ann = Sitter(world, address)
        for wrong in ("two words", "ZOE"):
            ann.says(wrong)
        ann.sees("* there is a ZOE already; what else are you called?")
        assert ann.chat.name == "" and ann.chat.prompt["text"] == "Your name"
        ann.says("ann")
        zoe.hears("* ann has joined")
        ann.is_called("ann")


def test_a_name_is_ours_however_its_letters_are_composed(world: TkWorld) -> None:
    with chat_for(world) as address, person(address, "zoe") as zoe:
        ann = Sitter(world, address)
        ann.says("e\u0301va")
        ann.is_called("éva")
        zoe.hears("* éva has joined")


def test_a_name_can_be_given_before_there_is_a_chat_to_hear_it(world: TkWorld, heard_bell: list[str]) -> None:
    with chat_for(world) as address, person(address, "zoe") as zoe:
        ann = Sitter(world, address)
        ann.says("anne")
        ann.says("ann")
        ann.is_called("ann")
        zoe.hears("* ann has joined")
    assert heard_bell == []


def test_what_is_pasted_is_one_line_whatever_it_is(world: TkWorld, heard_bell: list[str]) -> None:
    with chat_for(world) as address, person(address, "zoe") as zoe:
        ann = Sitter(world, address)
        ann.says("ann")
        ann.is_called("ann")
        ann.says("two\nlines\n")
        world.root.tk.eval(rf'{ann.chat.entry} insert 0 "half a \ud83d sign"')
        ann.chat.say()
        ann.says(" \n ")
        ann.says("")
        ann.says("done")
        zoe.hears("* ann has joined", "<ann> two lines")
        assert re.fullmatch(r"<ann> half a .+ sign", zoe.hear())
        zoe.hears("<ann> done")
    assert heard_bell == ["bell", "bell"]


def test_a_chat_that_sends_anything_at_all_is_shown(world: TkWorld) -> None:
    with chat_of_a_test() as (listener, address):
        ann = Sitter(world, address)
        with ann.is_received_by(listener) as sock:
            sock.sendall(b"\xff\x00 {[$x]}\r\n<> \n<zoe>\n<zoe> \n> a\n\n" + b"x" * 100_000 + b"\n<zoe> end\n")
            ann.sees("zoe  end")
            assert ann.lines[-6:] == ["<> ", "<zoe>", "zoe  ", "> a", "", "zoe  end"]


# --- Much of it -------------------------------------------------------------------------------------------------------


def test_the_window_keeps_the_newest_lines(world: TkWorld) -> None:
    with chat_of_a_test() as (listener, address):
        ann = Sitter(world, address)
        with ann.is_received_by(listener) as sock:
            sock.sendall(b"".join(b"<zoe> %d\n" % number for number in range(KEPT + 500)))
            ann.sees(f"zoe  {KEPT + 499}")
            assert ann.lines == [f"zoe  {number}" for number in range(500, KEPT + 500)]


def test_the_newest_line_is_in_view_except_for_who_is_reading_older_ones(world: TkWorld) -> None:
    with chat_of_a_test() as (listener, address):
        ann = Sitter(world, address)
        text = ann.chat.text
        with ann.is_received_by(listener) as sock:
            sock.sendall(b"<zoe> hello\n" * 100)
            ann.until(lambda: len(ann.lines) == 100)
            assert text.yview()[1] == 1.0
            text.yview_moveto(0)
            sock.sendall(b"<zoe> hello\n" * 100)
            ann.until(lambda: len(ann.lines) == 200)
            assert text.yview()[0] == 0.0


def test_a_network_that_always_has_something_to_say_does_not_keep_the_window_from_drawing(world: TkWorld) -> None:
    def talk() -> None:
        with listener.accept()[0] as sock:
            try:
                while not enough.is_set():
                    sock.sendall(b"<zoe> and another thing\n" * 1_000)
            except OSError:
                pass

    enough = threading.Event()
    drawn: list[int] = []
    with chat_of_a_test() as (listener, address):
        talking = threading.Thread(target=talk)
        talking.start()
        try:
            ann = Sitter(world, address)
            ann.until(lambda: len(ann.lines) > 100)

            def draw() -> None:
                drawn.append(len(drawn))
                world.root.after(0, world.root.after_idle, draw)

            world.root.after_idle(draw)
            ann.until(lambda: len(drawn) == 10, most_events=1_000)
        finally:
            enough.set()
            world.close()
            talking.join(DEADLINE)


# --- The connection ---------------------------------------------------------------------------------------------------


def test_a_chat_that_returns_is_joined_again_under_the_same_name(world: TkWorld, heard_bell: list[str]) -> None:
    with Program("examples.line_chat", "127.0.0.1:0") as program:
        address = program.wait_for(ADDRESS)[1]
        ann = Sitter(world, address)
        ann.says("ann")
        ann.is_called("ann")
        program.process.kill()
        program.finish()
    ann.sees_status(r"○ the connection is over \(.+\)")
    ann.says("not lost")
    assert heard_bell == ["bell"] and ann.chat.entry.get() == "not lost"
    ann.sees_status(r"○ again in \d+ s: .*refused.*")
    with Program("examples.line_chat", address) as program:
        program.wait_for(ADDRESS)
        with person(address, "zoe") as zoe:
            ann.sees_status(re.escape(f"● connected to {address}"))
            zoe.hears("* ann has joined")
            ann.until(lambda: ann.chat.name == "ann")
            ann.chat.say()
            zoe.hears("<ann> not lost")


def test_to_close_the_window_is_to_leave(world: TkWorld) -> None:
    with chat_for(world) as address, person(address, "zoe") as zoe:
        ann = Sitter(world, address)
        ann.says("ann")
        ann.is_called("ann")
        ann.says("a last word")
        world.root.after_idle(ann.clicks_close)
        world.mainloop()
        assert world.root.state() == "withdrawn"
        assert not world.reactor.alive()
        zoe.hears("* ann has joined", "<ann> a last word", "* ann has left")


@pytest.mark.parametrize("refused", [False, True])
def test_a_window_that_waits_for_a_chat_is_closed_at_once(world: TkWorld, refused: bool) -> None:
    with chat_of_a_test() as (listener, address):
        if refused:
            listener.close()
        ann = Sitter(world, address)
        if refused:
            ann.sees_status("○ again in .*")
        world.root.after_idle(ann.clicks_close)
        world.mainloop()
    assert not world.reactor.alive()


def test_a_second_close_does_not_wait_for_a_chat_that_is_silent(world: TkWorld) -> None:
    with chat_of_a_test() as (listener, address):
        ann = Sitter(world, address)
        with ann.is_received_by(listener):
            ann.sees_status("● .*")
            for _ in range(2):
                world.root.after_idle(ann.clicks_close)
            world.mainloop()
            assert ann.chat.line is not None  # it would have waited for its end


# --- The bridge -------------------------------------------------------------------------------------------------------


def test_tk_learns_of_an_earlier_deadline(world: TkWorld) -> None:
    happened: list[str] = []
    world.reactor.call_later(3600, happened.append, "too late")
    world.reactor.call_later(0.002, happened.append, "later")
    world.reactor.call_soon(happened.append, "soon")
    world.until(lambda: len(happened) == 2)
    assert set(happened) == {"soon", "later"}


def test_tk_comes_back_rather_late_than_early(world: TkWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def after(milliseconds: int, tick: Callable[[], object]) -> str:
        asked.append(milliseconds)
        return really_after(milliseconds, tick)

    asked: list[int] = []
    really_after = world.root.after
    with monkeypatch.context() as patch:
        patch.setattr(world.root, "after", after)
        patch.setattr(world.host, "reactor", SimpleNamespace(time=lambda: 100.0))
        for when in (99.0, 100.0, 100.0001, 100.0015, 101.0):
            world.host.wake_at(when)
        world.host.wake_at(None)
    assert asked == [0, 0, 1, 2, 1000]


def test_a_callback_of_the_reactor_may_run_tk_as_a_dialog_does(world: TkWorld) -> None:
    happened: list[str] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def readable() -> None:
            world.root.update()  # the socket is readable all this time
            happened.append(ours.recv(1).decode())

        world.reactor.add_reader(ours, readable)
        world.reactor.call_later(3600, list)
        for sent in "ab":
            theirs.send(sent.encode())
            world.until(lambda sent=sent: sent in happened)  # type: ignore[misc]
        world.reactor.remove_reader(ours)
    assert happened == ["a", "b"]


def test_what_is_not_watched_is_not_called(world: TkWorld) -> None:
    happened: list[str] = []
    world.reactor.call_later(0, happened.append, "reactor")
    world.host.unwatch()
    world.reactor.call_soon(happened.append, "reactor")
    world.root.after(1, happened.append, "tk")
    world.until(lambda: happened)
    assert happened == ["tk"]


# --- As people use it -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(XLIB is None, reason="Xlib is not installed")
def test_from_the_keyboard_to_the_button_that_closes_it(display: str) -> None:
    hands = Hands(display)
    with chat_program() as (chat, address), person(address, "zoe") as zoe:
        assert chat.wait_for("joined") and chat.process.stdout is not None
        with Program("examples.tk_chat", address) as program:
            window = hands.window()
            for _ in range(int(DEADLINE * 10)):  # what is typed before the window has the focus is lost, for anybody
                hands.type_into(window, "a\n")
                if select.select([chat.process.stdout], [], [], 0.1)[0]:
                    break
            zoe.hears("* a has joined")
            hands.type_into(window, "hello zoe 1\n")
            while zoe.hear() != "<a> hello zoe 1":
                pass
            hands.close(window)
            assert program.finish() == (0, "", "")
        zoe.hears("* a has left")
    hands.leave()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_it_although_nobody_moves_the_mouse(signum: signal.Signals) -> None:
    with chat_of_a_test() as (listener, address), Program("examples.tk_chat", address) as program:
        with listener.accept()[0] as sock:
            program.process.send_signal(signum)
            assert sock.recv(100) == b""
        assert program.finish() == (0, "", "")


def test_an_address_that_is_none_is_one_line() -> None:
    status, out, err = run("examples.tk_chat", "nowhere")
    assert (status, out) == (1, "") and re.fullmatch(r"tk_chat: .*'nowhere'.*\n", err)


def test_without_a_display_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY")
    status, out, err = run("examples.tk_chat")
    assert (status, out) == (1, "") and re.fullmatch(r"tk_chat: .*display.*\n", err)
    assert "DISPLAY" not in os.environ
