"""Every example, run as a user runs it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess

import pytest

from examples.inside_asyncio import AsyncioHost
from reactor import Reactor
from tests.cli.program import ADDRESS, DEADLINE, Program, connected, run

ANY_PORT = "127.0.0.1:0"
SERVERS = ["echo", "shout", "inside_asyncio", "in_a_thread"]

needs_nc = pytest.mark.skipif(shutil.which("nc") is None, reason="nc is not installed")


def nc(address: str, text: bytes) -> bytes:
    """What nc prints when this is typed into it, followed by Ctrl-D."""
    command = ["nc", *address.split(":")]
    usage = subprocess.run(["nc", "-h"], capture_output=True, check=False)
    if b"N" in usage.stderr.partition(b"[-")[2].partition(b"]")[0]:
        command.insert(1, "-N")  # end the sending half at the end of the input; where there is no -N, nc just does so
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, timeout=DEADLINE, check=True).stdout


def ended_by_ctrl_c(program: Program) -> str:
    """Press Ctrl-C, expect a clean end, and return what else it printed."""
    program.interrupt()
    status, out, err = program.finish()
    assert (status, err) == (0, "")
    return out


def test_echo_sends_back_what_it_receives() -> None:
    with Program("examples.echo", ANY_PORT) as program:
        address = program.wait_for(rf"echo listens at {ADDRESS}")[1]
        with connected(address) as first, connected(address) as second, second.makefile("rb") as answers:
            first.sendall(b"nobody waits for this one")
            second.sendall(b"hello\r\n\x00\xff\n")
            assert answers.readline() + answers.readline() == b"hello\r\n\x00\xff\n"
        ended_by_ctrl_c(program)


def test_shout_answers_lines_however_they_are_cut() -> None:
    with Program("examples.shout", ANY_PORT) as program:
        address = program.wait_for(rf"shout listens at {ADDRESS}")[1]
        with connected(address) as sock, sock.makefile("rb") as answers:
            sock.sendall(b"one\ntw")
            assert answers.readline() == b"ONE\n"
            sock.sendall(b"o\r\n")
            assert answers.readline() == b"TWO\n"
            sock.sendall(b"x" * 5000)
            assert answers.readline() == b""
        ended_by_ctrl_c(program)


@needs_nc
@pytest.mark.parametrize(("example", "answer"), [("echo", b"hello\nthere\n"), ("shout", b"HELLO\nTHERE\n")])
def test_nc_is_a_client(example: str, answer: bytes) -> None:
    with Program(f"examples.{example}", ANY_PORT) as program:
        address = program.wait_for(ADDRESS)[1]
        assert nc(address, b"hello\nthere\n") == answer
        ended_by_ctrl_c(program)


def test_client_prints_the_answer() -> None:
    with Program("examples.shout", ANY_PORT) as server:
        address = server.wait_for(ADDRESS)[1]
        assert run("examples.client", address) == (0, "HELLO\n", "")
        assert run("examples.client", address, "how are you?") == (0, "HOW ARE YOU?\n", "")
        ended_by_ctrl_c(server)


def test_client_says_why_there_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with Program("examples.client", address) as client:
            listener.accept()[0].close()
            status, out, err = client.finish()
    assert (status, out) == (1, "") and err.count("\n") == 1 and err.startswith("client: ")
    status, out, err = run("examples.client", address)
    assert (status, out) == (1, "") and err.count("\n") == 1 and f"cannot connect to {address}" in err


def test_client_leaves_on_ctrl_c() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Program("examples.client", f"127.0.0.1:{listener.getsockname()[1]}") as client,
        listener.accept()[0] as sock,
    ):
        assert sock.recv(100) == b"hello\n"
        client.interrupt()
        assert client.finish() == (130, "", "")


def test_inside_asyncio_both_loops_go_on() -> None:
    with Program("examples.inside_asyncio", ANY_PORT) as program:
        address = program.wait_for(rf"shout listens at {ADDRESS}")[1]
        program.wait_for("asyncio: asked 'question 1', the reactor answered 'QUESTION 1'")
        with connected(address) as sock, sock.makefile("rb") as answers:
            sock.sendall(b"me too\n")
            assert answers.readline() == b"ME TOO\n"
            program.wait_for("reactor: 2 of 2 clients are here")
        program.wait_for("asyncio: asked 'question 2'")
        ended_by_ctrl_c(program)


def test_inside_asyncio_the_host_learns_of_an_earlier_deadline() -> None:
    async def scenario() -> list[str]:
        happened: list[str] = []
        with Reactor() as reactor:
            host = AsyncioHost(reactor, asyncio.get_running_loop())
            done = asyncio.Event()
            reactor.call_later(3600, happened.append, "too late")
            await asyncio.sleep(0)  # the host sleeps for an hour now, and no socket will wake it
            reactor.call_soon(happened.append, "soon")
            reactor.call_later(0.001, happened.append, "later")
            reactor.call_later(0.002, done.set)
            await asyncio.wait_for(done.wait(), DEADLINE)
            host.close()
        return happened

    assert asyncio.run(scenario()) == ["soon", "later"]


def test_in_a_thread_what_is_typed_goes_to_everybody() -> None:
    with Program("examples.in_a_thread", ANY_PORT) as program:
        address = program.wait_for(rf"listening at {ADDRESS}")[1]
        with connected(address) as first, connected(address) as second:
            program.wait_for("2 connected")
            program.type_in("dinner is ready\n")
            with first.makefile("rb") as at_first, second.makefile("rb") as at_second:
                assert at_first.readline() == at_second.readline() == b"dinner is ready\n"
                assert program.process.stdin is not None
                program.process.stdin.close()
                program.process.stdin = None
                assert at_first.readlines() == at_second.readlines() == [b"goodbye\n"]
        status, out, err = program.finish()
    assert (status, err) == (0, "") and out.endswith("0 connected\n")


def test_in_a_thread_ctrl_c_says_goodbye_as_well() -> None:
    with Program("examples.in_a_thread", ANY_PORT) as program:
        address = program.wait_for(rf"listening at {ADDRESS}")[1]
        with connected(address) as sock, sock.makefile("rb") as said:
            program.wait_for("1 connected")
            program.interrupt()
            assert said.readlines() == [b"goodbye\n"]
        assert program.finish()[0::2] == (0, "")


@pytest.mark.parametrize("example", SERVERS)
def test_an_address_in_use_is_one_line(example: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        status, out, err = run(f"examples.{example}", address)
    assert (status, out) == (1, "") and err.count("\n") == 1
    assert err.startswith(f"{example}: ") and address in err


@pytest.mark.parametrize("example", [*SERVERS, "client"])
def test_an_address_that_is_none_is_one_line(example: str) -> None:
    status, out, err = run(f"examples.{example}", "nowhere")
    assert (status, out) == (1, "") and err.count("\n") == 1 and "'nowhere'" in err
