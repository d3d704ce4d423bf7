#!/usr/bin/env python3
"""The agent of a VM in one file, for machines without Node: it registers the VM, waits, and acts on its assignments.

It does what `lablink-gateway agent` does in its print and exec modes, and keeps the same state file: no assignment is
acted on twice, whatever is killed when. Needs Python 3.9 or later and the package `websockets`, 10 or later.
"""

import argparse
import asyncio
import contextlib
import datetime
import fcntl
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import websockets

MAX_ENTRIES = 1_000
# One string of arguments or environment may have 131,072 bytes on Linux (MAX_ARG_STRLEN).
MAX_STRING_BYTES = 128_000
LAST_REPORTS_S = 5
CONNECT_TIMEOUT_S = 15
# By close code, whether to come back: src/protocol/README.md. Any other code means soon.
STAY_AWAY = {1009, 4400, 4403, 4409}
LATER = {1013, 4429}
# The gate opens at a line; at the end of the file, when the agent is gone, the shell ends without running anything.
GATE = 'read -r go <&3 && exec 3<&- && exec "$@"'


class AgentFileError(Exception):
    """A file that the agent was given is not as it must be: exit code 2."""


class Refused(Exception):
    """The gateway says not to come back."""


def log(text):
    print(text, file=sys.stderr, flush=True)


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def vm_path(hostname):
    escaped = "~" + hostname if re.fullmatch(r"~*\.\.?", hostname) else hostname
    return "/v1/vms/" + urllib.parse.quote(escaped, safe="!'()*")


def birth_mark(pid):
    """A text that no other process with this pid ever has; None when nothing can be learned, "ended" for a dead one."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id") as file:
            return "ended" if fields[0] == "Z" else f"{file.read().strip()}:{fields[19]}"
    except OSError:
        return None


def is_group_left(leader):
    """Whether anyone of the group is left that this process led. The dead whom nobody reaped are not."""
    pid, mark = leader["pid"], leader.get("birth_mark")
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    if mark is not None and mark.split(":")[0] != (birth_mark(os.getpid()) or mark).split(":")[0]:
        return False
    present = birth_mark(pid)
    if mark is not None and present not in (None, "ended", mark):
        return False
    return any(state not in "ZX" for state in states_of_group(pid))


def states_of_group(group):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError):
            with open(f"/proc/{pid}/stat") as file:
                state, _, of = file.read().rpartition(")")[2].split()[:3]
            if int(of) == group:
                yield state


async def end_group(leader, grace_s):
    """SIGTERM, and SIGKILL for who is left after the grace; returns when nobody is."""
    if not is_group_left(leader):
        return
    signal_group(leader, signal.SIGTERM)
    loop = asyncio.get_running_loop()
    kill_at = loop.time() + grace_s
    while is_group_left(leader):
        if loop.time() >= kill_at:
            signal_group(leader, signal.SIGKILL)
        await asyncio.sleep(0.05)


def signal_group(leader, number):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader["pid"], number)


class StateFile:
    """The journal on disk: whole at every moment, flushed, and one agent's at a time."""

    def __init__(self, path):
        try:
            os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
            self.path = os.path.realpath(path)
            # Held until the process ends, however it does.
            self.lock = open(self.path + ".flock", "w")
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.journal = self.read()
            self.save()
        except BlockingIOError as error:
            raise AgentFileError(f"Another agent uses the state file {path}.") from error
        except OSError as error:
            raise AgentFileError(f"The state file {path} cannot be used: {error}") from error

    def read(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                journal = json.load(file)
            if journal["format"] == 1 and all(isinstance(e["assignment_id"], str) for e in journal["entries"]):
                return journal
        except FileNotFoundError:
            return {"format": 1, "entries": []}
        except (ValueError, KeyError, TypeError):
            pass
        raise AgentFileError(
            f"The state file {self.path} is not one that this agent wrote. Which assignments were handled is not known: "
            "look what was run, then remove the file; the current assignment will be begun."
        )

    def save(self):
        self.journal["entries"] = self.journal["entries"][-MAX_ENTRIES:]
        draft = self.path + ".new"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self.journal, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, self.path)
        folder = os.open(os.path.dirname(self.path), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def entry(self, assignment_id):
        return next((e for e in self.journal["entries"] if e["assignment_id"] == assignment_id), None)

    def begin(self, entry):
        others = [e for e in self.journal["entries"] if e["assignment_id"] != entry["assignment_id"]]
        self.journal["entries"] = [*others, entry]
        self.save()

    def unreported(self):
        return [
            entry
            for entry in self.journal["entries"]
            if "end" in entry and entry["end"]["outcome"] != "printed" and not entry.get("reported")
        ]


class Agent:
    """One event after the other: what the row says, how the command ended, that it is to end."""

    def __init__(self, options, state):
        self.options = options
        self.state = state
        self.events = asyncio.Queue()
        self.socket = None
        self.current = None  # The assignment that the row tells of.
        self.vm = None  # The row, while it is in use.
        self.line = None
        self.running = None  # {"id", "leader", "over"}
        self.registered = False
        self.printed = None
        self.tasks = set()

    # What happens

    async def work(self):
        """Works until it is told to end (0), or the gateway says not to come back (2)."""
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        await self.recover()
        connection = self.spawn(self.stay_connected())
        handling = self.spawn(self.handle_events())
        stopping = self.spawn(stopped.wait())
        done, _ = await asyncio.wait({connection, handling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        code = 0
        if handling in done:
            await self.end_running("interrupted")
            handling.result()  # It cannot go on.
        handling.cancel()
        if connection in done:
            error = connection.exception()
            if not isinstance(error, Refused):
                raise error
            log(str(error))
            code = 2
            # What runs may end by itself.
            while self.running is not None and not self.running["over"].done() and not stopping.done():
                await asyncio.wait({self.running["over"], stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            await self.end_running("interrupted")
        await self.last_reports()
        connection.cancel()
        if self.socket is not None:
            await self.socket.close()
        return code

    async def recover(self):
        """What an agent before this one left: its command is ended, and was cut off."""
        for entry in self.state.journal["entries"]:
            if "end" not in entry and "leader" in entry:
                await end_group(entry["leader"], self.options.grace)
        entries = self.state.journal["entries"]
        last = entries[-1] if entries else None
        if last and "end" in last and "leader" in last and is_group_left(last["leader"]):
            over = asyncio.get_running_loop().create_future()
            over.set_result(None)
            self.running = {"id": last["assignment_id"], "leader": last["leader"], "over": over, "ending": None}
        if not self.options.rerun_interrupted:
            self.close_cut_off(None)
        for entry in self.state.unreported():
            self.report(entry)

    def close_cut_off(self, current):
        for entry in self.state.journal["entries"]:
            runs = self.running is not None and self.running["id"] == entry["assignment_id"]
            if "end" not in entry and not runs and entry["assignment_id"] != current:
                self.end(entry, "interrupted", None, None)

    async def handle_events(self):
        while True:
            message, line = await self.events.get()
            await self.hear(message, line)

    async def hear(self, message, line):
        if message["type"] != "assignment" and self.options.program is None and line != self.printed:
            self.print_line(line)
        if message["type"] == "absent":
            # Once: a row that was deleted is not to be made again behind an admin's back.
            if not self.registered:
                self.spawn(self.until_answered("the registration", "PUT", vm_path(self.options.hostname)))
            self.registered = True
            return
        self.registered = True
        vm = message["vm"]
        in_use = message["type"] == "assignment"
        # One without an identity (the triggers are off) could be run twice.
        if in_use and vm["assignment_id"] is None:
            return
        self.current, self.vm, self.line = vm["assignment_id"], vm if in_use else None, line
        await self.settle()

    async def settle(self):
        if self.running is not None and self.running["id"] != self.current:
            await self.end_running("stopped")
        self.close_cut_off(self.current if self.options.rerun_interrupted else None)
        if self.vm is None:
            return
        entry = self.state.entry(self.current)
        runs = self.running is not None and self.running["id"] == self.current
        if entry is None or ("end" not in entry and not runs):
            await self.act()
        else:
            await self.tell_gateway(entry)

    async def tell_gateway(self, entry):
        await self.send({"type": "ack", "assignment_id": entry["assignment_id"]})
        outcome = entry.get("end", {}).get("outcome")
        if outcome == "interrupted" or (outcome == "failed" and self.options.fail_vm_on_error):
            await self.send({"type": "status", "status": "failed", "assignment_id": entry["assignment_id"]})

    # Acting

    async def act(self):
        entry = {"assignment_id": self.current, "began_at": now()}
        if self.options.program is None:
            self.state.begin(entry)
            await self.tell_gateway(entry)
            self.print_line(self.line)
            self.end(entry, "printed", 0, None)
            return
        try:
            process, gate = self.launch()
        except OSError as error:
            log(f"{self.current} cannot be begun: {error}")
            self.state.begin(entry)
            self.end(entry, "failed", None, None)
            await self.tell_gateway(entry)
            return
        mark = birth_mark(process.pid)
        entry["leader"] = {"pid": process.pid, **({} if mark is None else {"birth_mark": mark})}
        self.state.begin(entry)
        await self.tell_gateway(entry)
        log(f"{self.current} begins")
        self.running = {"id": self.current, "leader": entry["leader"], "ending": None}
        self.running["over"] = self.spawn(self.wait_for(process, entry, self.running))
        with contextlib.suppress(BrokenPipeError):
            os.write(gate, b"\n")
        os.close(gate)

    def launch(self):
        """Starts the program, up to a gate. It gets the assignment as a file without a name: whole, or not at all."""
        scratch = self.state.path + ".command"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(scratch)
        with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(self.line + "\n")
        with open(scratch) as given:
            os.unlink(scratch)
            reader, gate = os.pipe()
            try:
                process = subprocess.Popen(
                    ["/bin/sh", "-c", GATE, "agent", *self.options.program],
                    stdin=given,
                    env={**os.environ, **self.variables()},
                    # In this process 3 is the lock: it was opened first.
                    preexec_fn=lambda: os.dup2(reader, 3),
                    pass_fds=[3],
                    start_new_session=True,
                )
            except OSError:
                os.close(gate)
                raise
            finally:
                os.close(reader)
        return process, gate

    def variables(self):
        command, email = self.vm.get("crd_command"), self.vm.get("email")
        fits = isinstance(command, str) and len(command.encode()) <= MAX_STRING_BYTES
        return {
            "LABLINK_ASSIGNMENT_ID": self.current,
            "LABLINK_HOSTNAME": self.vm["hostname"],
            **({"LABLINK_EMAIL": email} if isinstance(email, str) else {}),
            **({"LABLINK_CRD_COMMAND": command} if fits else {}),
        }

    async def wait_for(self, process, entry, running):
        while (code := process.poll()) is None:
            await asyncio.sleep(0.05)
        number = signal.Signals(-code).name if code < 0 else None
        code = None if code < 0 else code
        log(f"{entry['assignment_id']} has ended: {number or f'exit code {code}'}")
        if running["ending"] == "interrupted" and self.options.rerun_interrupted:
            return
        outcome = running["ending"] or ("succeeded" if code == 0 else "failed")
        self.end(entry, outcome, code, number)
        if self.current == entry["assignment_id"] and self.vm is not None:
            await self.tell_gateway(entry)

    async def end_running(self, outcome):
        if self.running is None:
            return
        self.running["ending"] = outcome
        await end_group(self.running["leader"], self.options.grace)
        await asyncio.wait({self.running["over"]})
        self.running = None

    def end(self, entry, outcome, exit_code, number):
        entry["end"] = {"at": now(), "outcome": outcome, "exit_code": exit_code, "signal": number}
        self.state.save()
        if outcome != "printed":
            self.report(entry)

    def print_line(self, line):
        self.printed = line
        print(line, flush=True)

    # Telling the gateway

    def report(self, entry):
        self.spawn(self.report_until_answered(entry))

    async def report_until_answered(self, entry):
        path = f"/v1/assignments/{entry['assignment_id']}/end"
        body = {name: entry["end"][name] for name in ("outcome", "exit_code", "signal")}
        await self.until_answered(f"the report of {entry['assignment_id']}", "PUT", path, body)
        entry["reported"] = True
        self.state.save()

    async def last_reports(self):
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + LAST_REPORTS_S
        while self.state.unreported() and loop.time() < give_up_at:
            await asyncio.sleep(0.05)

    async def until_answered(self, what, method, path, body=None):
        failures = 0
        while True:
            try:
                status, answer = await asyncio.to_thread(self.ask, method, path, body)
                if status < 300:
                    return
                reason = f"HTTP {status} {answer.get('code')}: {answer.get('detail')}"
                own_word = "code" in answer and answer["code"] != "not_found"
                if own_word and status < 500 and status not in (401, 408, 429):
                    log(f"{what} was refused: {reason}")
                    return
            except (OSError, ValueError, AgentFileError) as error:
                reason = str(error)
            pause = random.random() * min(30, 2 * 2**failures)
            failures = min(failures + 1, 10)
            log(f"{what}: trying again in {pause:.0f} s: {reason}")
            await asyncio.sleep(pause)

    def ask(self, method, path, body=None):
        """One request; the status, and the JSON of the answer."""
        request = urllib.request.Request(
            self.options.http + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token()}", "User-Agent": "lablink-agent.py"},
        )
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=CONNECT_TIMEOUT_S) as response:
                return response.status, {}
        except urllib.error.HTTPError as error:
            with contextlib.suppress(ValueError):
                answer = json.loads(error.read())
                if isinstance(answer, dict):
                    return error.code, answer
            return error.code, {}

    def token(self):
        try:
            with open(self.options.token_file) as file:
                return file.read().strip()
        except OSError as error:
            raise AgentFileError(f"The token file {self.options.token_file} cannot be read.") from error

    async def send(self, message):
        if self.socket is not None:
            with contextlib.suppress(websockets.ConnectionClosed):
                await self.socket.send(json.dumps(message))

    # The connection

    async def stay_connected(self):
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                later, reason = await self.connect_once()
            except (OSError, AgentFileError, asyncio.TimeoutError, websockets.WebSocketException) as error:
                later, reason = await self.why_refused(error)
            finally:
                self.socket = None
            if loop.time() - began > 10:
                failures = 0
            base, cap = (15, 120) if later else (2, 30)
            pause = random.random() * min(cap, base * 2**failures)
            failures = min(failures + 1, 10)
            log(f"reconnecting in {pause:.0f} s: {reason}")
            await asyncio.sleep(pause)

    async def connect_once(self):
        """One socket from its opening to its end: whether to come back later than soon, and why it ended."""
        uri = self.options.http.replace("http", "ws", 1) + vm_path(self.options.hostname)
        headers = {"Authorization": f"Bearer {self.token()}"}
        # A row may hold a megabyte and more. The gateway pings; silence of two of ours is death.
        settings = {"subprotocols": ["lablink.v1"], "max_size": None, "open_timeout": CONNECT_TIMEOUT_S}
        try:
            connection = websockets.connect(uri, additional_headers=headers, **settings)
            socket = await connection
        except TypeError:  # before version 14
            socket = await websockets.connect(uri, extra_headers=headers, **settings)
        try:
            self.socket = socket
            async for line in socket:
                message = json.loads(line)
                if message["type"] == "welcome":
                    log("live" if message["live"] else "gap: the gateway cannot hear its database")
                elif message["type"] in ("assignment", "status", "absent"):
                    await self.events.put((message, " ".join(line.splitlines())))
                elif message["type"] == "error" and message["code"] == "unavailable":
                    self.spawn(self.say_again())
        except websockets.ConnectionClosed:
            pass
        finally:
            await socket.close()
        code, reason = socket.close_code, socket.close_reason
        if code in STAY_AWAY:
            raise Refused(f"refused: {reason} ({code})")
        return code in LATER, f"{reason or 'the connection was lost'} ({code})"

    async def say_again(self):
        await asyncio.sleep(2)
        entry = self.state.entry(self.current)
        if entry is not None and self.vm is not None:
            await self.tell_gateway(entry)

    async def why_refused(self, error):
        """A refused upgrade says little: the same URL over HTTP says more. Only the gateway's own word is final."""
        try:
            status, answer = await asyncio.to_thread(self.ask, "GET", vm_path(self.options.hostname))
        except (OSError, ValueError, AgentFileError):
            return False, str(error)
        reason = f"HTTP {status} {answer.get('code', '')}: {answer.get('detail', '')}"
        if status in (401, 408) or status >= 500 or status < 300 or answer.get("code") == "vm_not_found":
            return False, reason
        if status == 429 or "code" not in answer:
            return True, reason
        raise Refused(f"refused: {reason}")

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


def parse_options(arguments):
    parser = argparse.ArgumentParser(description="Act on the assignments of this VM: print them, or run a program for each.")
    parser.add_argument("--url", required=True, help="the gateway")
    parser.add_argument("--state-file", required=True, help="where to remember which assignments were handled")
    parser.add_argument("--token-file", required=True, help="a file with the agent's token; read anew when one is needed")
    parser.add_argument("--hostname", default=socket.gethostname(), help="the VM (default: the machine's name)")
    parser.add_argument("--grace", type=int, default=10, help="seconds between SIGTERM and SIGKILL")
    parser.add_argument("--fail-vm-on-error", action="store_true", help="set the VM failed when its program fails")
    parser.add_argument("--rerun-interrupted", action="store_true", help="begin a program anew that was cut off")
    parser.add_argument("--exec", dest="program", nargs=argparse.REMAINDER, help="run PROGRAM ARGS... for each assignment")
    options = parser.parse_args(arguments)
    if options.program == []:
        parser.error("--exec needs a program: it comes last, with its arguments")
    if not re.match(r"(http|ws)s?://.", options.url):
        parser.error(f"{options.url} is not the URL of a gateway")
    options.http = re.sub(r"^ws", "http", options.url.split("?")[0].split("#")[0].rstrip("/"))
    return options


def main():
    options = parse_options(sys.argv[1:])
    try:
        agent_state = StateFile(options.state_file)

        async def run():
            agent = Agent(options, agent_state)
            agent.token()
            return await agent.work()

        return asyncio.run(run())
    except AgentFileError as error:
        log(str(error))
        return 2
    except OSError as error:
        log(f"The agent cannot go on: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
