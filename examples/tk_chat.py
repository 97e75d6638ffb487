"""A window on the chat: messages, a line to type in, and how the connection is.

The lesson: a program with a window is a client like any other. Its protocol is called in Tk's loop (`examples.tk_host`
sees to that), so it writes into the window what it hears, and what is typed it sends; nothing has to be handed from
thread to thread. And it outlives its server: `reconnect` makes a new `Line` after each end, and the window says the
name again, which it knows because the chat once has accepted it.

To close the window is to leave: what was typed is still sent, and the program ends when the connection has, at most a
second later. A window that waits for a server has nothing to wait for.

    python3 -m examples.line_chat                   and then, elsewhere, more than once:
    python3 -m examples.tk_chat [ADDRESS]

End the chat, look at the last line of the window, and start the chat again.
"""

from __future__ import annotations

import re
import signal
import sys
import tkinter as tk
from tkinter import ttk
from unicodedata import normalize

from examples.tk_host import TkHost
from reactor import Backoff, ConnectionOptions, FramedProtocol, LineCodec, OptionError, Reactor, Transport, reconnect

OPTIONS = ConnectionOptions(connect_timeout=5.0, drain_timeout=1.0)  # seconds
BACKOFF = Backoff(initial=1.0, cap=15.0, steady=5.0)
SAID = re.compile(r"[<[](.+?)[]>] (.*)")  # <ann> to all, [ann] to you, [to bob] by you
KEPT = 2_000  # lines in the window


class Line(FramedProtocol[bytes]):
    """The line to the chat, while it holds."""

    codec = LineCodec(max_length=64 * 1024, oversize="discard")
    frames_per_tick = 50

    def __init__(self, chat: TkChat) -> None:
        self.chat = chat

    def connection_made(self, transport: Transport) -> None:
        super().connection_made(transport)
        self.chat.connected(self)

    def frame_received(self, frame: bytes) -> None:
        self.chat.heard(frame.replace(b"\0", b"").decode(errors="replace"))  # a text of Tk's may end at a NUL

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.chat.disconnected(exc)


class TkChat:
    """The window: what was said, what is being typed, and how the connection is."""

    def __init__(self, reactor: Reactor, root: tk.Tk, address: str) -> None:
        self.root, self.address = root, address
        self.line: Line | None = None
        self.name = ""  # under which the chat knows us
        self.tried: list[str] = []  # what may become it
        self.leaving = False
        self.reconnector = reconnect(
            reactor, lambda: Line(self), address, options=OPTIONS, backoff=BACKOFF, on_failure=self.failed
        )
        for signum in (signal.SIGINT, signal.SIGTERM):
            reactor.add_signal_handler(signum, self.close)
        root.title(f"Chat at {address}")
        root.geometry("600x420")
        root.minsize(320, 180)
        root.protocol("WM_DELETE_WINDOW", self.close)
        self.build(ttk.Style())

    def build(self, style: ttk.Style) -> None:
        style.theme_use("clam")
        self.root.configure(background=style.lookup("TFrame", "background"))
        self.status = ttk.Label(self.root, text=f"○ connecting to {self.address}", padding=(10, 6))
        self.status.pack(side="bottom", fill="x")  # who is packed first keeps its place when there is little
        typing = ttk.Frame(self.root, padding=(10, 10, 10, 0))
        typing.pack(side="bottom", fill="x")
        self.prompt = ttk.Label(typing, text="Your name")
        self.prompt.pack(side="left")
        ttk.Button(typing, text="Send", width=8, command=self.say).pack(side="right")
        self.entry = ttk.Entry(typing, font="TkTextFont")
        self.entry.pack(fill="x", padx=8, ipady=3)
        self.entry.bind("<Return>", self.say)
        self.entry.focus_set()
        self.text = tk.Text(self.root, state="disabled", wrap="word", font="TkTextFont", padx=10, pady=6, spacing1=4)
        self.text.configure(relief="flat", cursor="arrow")
        self.text.bind("<Configure>", lambda _: self.text.see("end"))
        bar = ttk.Scrollbar(self.root, command=self.text.yview)
        bar.pack(side="right", fill="y")
        self.text.configure(yscrollcommand=bar.set)
        self.text.pack(fill="both", expand=True)
        for tag, colour in {"name": "#303030", "own": "#1558c0", "private": "#8a2fa8", "notice": "#757575"}.items():
            self.text.tag_configure(tag, foreground=colour, font="TkHeadingFont" if tag in ("name", "own") else "")

    def say(self, *_: object) -> None:
        text = self.entry.get().replace("\n", " ").strip()  # what was pasted may have line ends
        if not text or (self.name and self.line is None):
            self.root.bell()
            return
        if not self.name:
            self.tried.append(normalize("NFKC", text))  # as the chat will say it
        if self.line is not None:
            self.line.send(text.encode(errors="replace"))
        self.entry.delete(0, "end")

    def connected(self, line: Line) -> None:
        self.line = line
        self.status["text"] = f"● connected to {self.address}"
        self.tried, self.name = [self.name] if self.name else self.tried[-1:], ""
        for name in self.tried:
            line.send(name.encode(errors="replace"))

    def disconnected(self, exc: BaseException | None) -> None:
        self.line = None
        self.status["text"] = f"○ the connection is over ({exc or 'the chat has ended'})"
        if self.leaving:
            self.root.quit()

    def failed(self, error: Exception, pause: float) -> None:
        self.status["text"] = f"○ again in {pause:.0f} s: {error.__cause__ or error}"

    def heard(self, line: str) -> None:
        if not self.name and (name := line.removeprefix("* ").removesuffix(" has joined")) in self.tried:
            self.name = self.prompt["text"] = name
        following = self.text.yview()[1] == 1.0  # who has scrolled back is reading
        self.text["state"] = "normal"
        if said := SAID.fullmatch(line):
            who = "own" if said[1] == self.name else "name"
            self.text.insert("end", f"{said[1]}  ", who, f"{said[2]}\n", "private" if line[0] == "[" else "")
        else:
            self.text.insert("end", f"{line}\n", "notice")
        self.text.delete("1.0", f"end - {KEPT + 1} lines")
        self.text["state"] = "disabled"
        if following:
            self.text.see("end")

    def close(self) -> None:
        """Say what is still to be said, and leave; the second time, just leave."""
        if self.line is None or self.leaving:
            self.root.quit()
        self.leaving = True
        self.root.withdraw()
        self.reconnector.stop()


def main() -> None:
    try:
        with Reactor() as reactor:
            root = tk.Tk()
            TkChat(reactor, root, sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9000")
            host = TkHost(reactor, root)
            root.mainloop()
            host.unwatch()
    except (tk.TclError, OptionError) as error:
        sys.exit(f"tk_chat: {error}")


if __name__ == "__main__":
    main()
