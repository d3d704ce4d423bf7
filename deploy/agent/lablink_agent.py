#!/usr/bin/env python3
"""The agent of a VM for machines without Node, on top of lablink_client.py, which is beside it.

It has the print and exec modes of `lablink-gateway agent`: it registers the VM, stays connected,
and acts on each assignment once, even if it is killed at any moment. Both agents have the same
state file and the same rules. src/agent/README.md states the rules, and the cases in
src/agent/cases.json are run against both agents.

Needs Python 3.9 and the package `websockets`, version 10 or later.
"""

import argparse
import asyncio
import collections
import contextlib
import dataclasses
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
import typing

import lablink_client as client

MAX_ENTRIES = 1_000
# Linux allows 131,072 bytes for an argument or a variable, with its name and the NUL
# (MAX_ARG_STRLEN).
MAX_STRING_BYTES = 128_000
LAST_REPORTS_S = 5
UNAVAILABLE_PAUSE_S = 2
# Flags that create a file, and fail if the name is taken, by a link too.
CREATE_ONLY = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
# Variables that a program needs to find other programs, its user, its desktop, its language and the
# network. None of them holds a secret of the agent.
FOR_COMMANDS = re.compile(
    "PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|TMPDIR|LANG|LANGUAGE|LC_[A-Z]+|DISPLAY|XAUTHORITY|XDG_RUNTIME_DIR"
    "|DBUS_SESSION_BUS_ADDRESS|SSL_CERT_FILE|SSL_CERT_DIR|(http|https|no|all)_proxy|(HTTP|HTTPS|NO|ALL)_PROXY"
)
# The start barrier: the shell waits for a line. If the file ends first, because the agent has
# ended, the shell runs nothing.
BARRIER = 'read -r go <&3 && exec 3<&- && exec "$@"'


class AgentFileError(Exception):
    """A file that the agent was given cannot be used: exit code 2."""


def log(text):
    print(text, file=sys.stderr, flush=True)


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


# The journal: the content of the state file.


def is_object(value, **checks):
    """Whether `value` is a JSON object whose fields pass these checks.

    A check gets None for a missing field.
    """
    return isinstance(value, dict) and all(check(value.get(name)) for name, check in checks.items())


def is_text(value):
    return isinstance(value, str)


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_end(value):
    return is_object(
        value,
        at=is_text,
        outcome=lambda outcome: outcome in ("succeeded", "failed", "stopped", "interrupted", "printed"),
        exit_code=lambda code: code is None or is_integer(code),
        signal=lambda name: name is None or is_text(name),
    ) and {"exit_code", "signal"} <= value.keys()


def is_leader(value):
    is_pid = is_object(value, pid=lambda pid: is_integer(pid) and pid >= 1)
    return is_pid and is_text(value.get("birth_mark", ""))


def is_entry(value):
    return (
        is_object(value, assignment_id=is_text, began_at=is_text)
        and ("leader" not in value or is_leader(value["leader"]))
        and ("end" not in value or is_end(value["end"]))
        and isinstance(value.get("reported", False), bool)
    )


def is_journal(value):
    return (
        is_object(value, entries=lambda entries: isinstance(entries, list) and all(map(is_entry, entries)))
        and is_integer(value.get("format"))
        and value["format"] == 1
        and ("enrolment" not in value or is_object(value["enrolment"], hostname=is_text, nonce=is_text))
    )


def find_entry(journal, assignment_id):
    return next((entry for entry in journal["entries"] if entry["assignment_id"] == assignment_id), None)


def append_entry(journal, entry):
    """The journal with this entry last. It replaces an earlier entry of its assignment."""
    others = [other for other in journal["entries"] if other["assignment_id"] != entry["assignment_id"]]
    return {**journal, "entries": [*others, entry][-MAX_ENTRIES:]}


def amend_entry(journal, assignment_id, **fields):
    """The journal with these fields added to the entry of this assignment."""
    entries = [
        {**entry, **fields} if entry["assignment_id"] == assignment_id else entry for entry in journal["entries"]
    ]
    return {**journal, "entries": entries}


# The reducer: the agent's rules, without I/O and without a clock. An event changes the state and
# asks for effects. The effects are carried out in order, and all before the next event. Events and
# effects are dictionaries, named as in src/agent/agent-state.ts.


@dataclasses.dataclass(frozen=True)
class Policy:
    act: str  # "print" or "run"
    rerun_interrupted: bool
    fail_vm_on_error: bool


@dataclasses.dataclass(frozen=True)
class Group:
    """The process group of the command that was started last."""

    assignment_id: str
    exited: bool
    terminated_as: typing.Optional[str]  # "stopped" or "interrupted", while the agent terminates it


@dataclasses.dataclass(frozen=True)
class Row:
    """The row as the gateway last sent it; `vm` and `frame` only while the VM is in use."""

    assignment_id: typing.Optional[str]
    vm: typing.Optional[dict]
    frame: typing.Optional[str]


@dataclasses.dataclass(frozen=True)
class State:
    journal: dict
    row: typing.Optional[Row] = None
    group: typing.Optional[Group] = None
    registered: bool = False
    # The acknowledgements and failures that were sent on this socket; None without one.
    sent: typing.Optional[frozenset] = None
    last_printed: typing.Optional[str] = None
    exit_reason: typing.Optional[str] = None  # "stopped" or "rejected"
    deadline_passed: bool = False

    def but(self, **changes):
        return dataclasses.replace(self, **changes)


def create_initial_state(journal, survivor):
    """`survivor` is the assignment whose process group outlived the previous agent."""
    return State(journal, group=None if survivor is None else Group(survivor, True, None))


def reduce(policy, state, event, at):
    """The next state, and the effects. `at` is the time in ISO 8601."""
    state, effects = apply_event(policy, state, event, at)
    state, more = reconcile(policy, state, at)
    return state, [*effects, *more]


def apply_event(policy, state, event, at):
    kind = event["type"]
    if kind == "row":
        return apply_row(policy, state, event["message"], event["frame"])
    if kind == "launched":
        assignment_id = event["assignment_id"]
        leader = {} if event.get("leader") is None else {"leader": event["leader"]}
        entry = {"assignment_id": assignment_id, "began_at": at, **leader}
        launched = state.but(group=Group(assignment_id, False, None))
        state, effects = save(launched, append_entry(state.journal, entry))
        state, more = send_once(state, "acknowledge", assignment_id)
        return state, [*effects, *more, {"do": "start", "assignment_id": assignment_id}]
    if kind == "exited":
        return apply_exit(policy, state, event, at)
    if kind == "group-ended":
        is_current = state.group is not None and state.group.assignment_id == event["assignment_id"]
        return (state.but(group=None) if is_current else state), []
    if kind == "reported":
        return save(state, amend_entry(state.journal, event["assignment_id"], reported=True))
    if kind == "disconnected":
        return state.but(sent=None), []
    if kind == "unavailable":
        return state.but(sent=None if state.sent is None else frozenset()), []
    if kind == "rejected":
        return state.but(exit_reason=state.exit_reason or "rejected"), []
    if kind == "stop":
        return state.but(exit_reason="stopped"), []
    if kind == "deadline":
        return state.but(deadline_passed=True), []
    if kind == "start":
        return state, [{"do": "report", "entry": entry} for entry in state.journal["entries"] if is_report_due(entry)]
    raise ValueError(f"unknown event {kind}")


def apply_row(policy, state, message, frame):
    is_printed = policy.act == "print" and message["type"] != "assignment" and frame != state.last_printed
    effects = [{"do": "print", "line": frame}] if is_printed else []
    was_registered = state.registered
    sent = frozenset() if state.sent is None else state.sent
    state = state.but(sent=sent, registered=True, last_printed=frame if is_printed else state.last_printed)
    if message["type"] == "absent":
        # Only once: an admin who renames or deletes the row later does not want it back.
        return state, effects if was_registered else [*effects, {"do": "register"}]
    vm = message["vm"]
    if message["type"] == "status":
        return state.but(row=Row(vm.get("assignment_id"), None, None)), effects
    # Without an identity (the triggers are disabled) an assignment could be run twice.
    if vm.get("assignment_id") is None:
        return state, effects
    return state.but(row=Row(vm["assignment_id"], vm, frame)), effects


def apply_exit(policy, state, event, at):
    assignment_id, code = event["assignment_id"], event["code"]
    group, terminated_as = state.group, None
    if group is not None and group.assignment_id == assignment_id:
        terminated_as = group.terminated_as
        state = state.but(group=dataclasses.replace(group, exited=True))
    # The entry keeps no end, so that the command runs again.
    if terminated_as == "interrupted" and policy.rerun_interrupted:
        return state, []
    # A command that could not be launched has no entry yet.
    entry = find_entry(state.journal, assignment_id) or {"assignment_id": assignment_id, "began_at": at}
    success = "printed" if policy.act == "print" else "succeeded"
    outcome = terminated_as or (success if code == 0 else "failed")
    end = {"at": at, "outcome": outcome, "exit_code": code, "signal": event["signal"]}
    return record_ends(state.but(journal=append_entry(state.journal, entry)), [assignment_id], end)


def record_ends(state, assignment_ids, end):
    """Saves how these assignments ended, and reports it."""
    journal = state.journal
    for assignment_id in assignment_ids:
        journal = amend_entry(journal, assignment_id, end=end)
    ended = [entry for entry in journal["entries"] if entry["assignment_id"] in assignment_ids]
    state, effects = save(state, journal)
    return state, [*effects, *({"do": "report", "entry": entry} for entry in ended if is_report_due(entry))]


def is_report_due(entry):
    """Only the reader of a printed assignment knows how it ended, so the agent reports nothing."""
    return "end" in entry and entry["end"]["outcome"] != "printed" and not entry.get("reported")


def reconcile(policy, state, at):
    """The effects that the state asks for, whatever the last event was."""
    interrupted = [
        entry["assignment_id"] for entry in state.journal["entries"] if is_interrupted(policy, state, entry)
    ]
    effects = []
    if interrupted:
        end = {"at": at, "outcome": "interrupted", "exit_code": None, "signal": None}
        state, effects = record_ends(state, interrupted, end)
    state, more = (enforce_row if state.exit_reason is None else prepare_exit)(policy, state)
    return state, [*effects, *more]


def is_interrupted(policy, state, entry):
    """Whether the command started, no longer runs, has no recorded end, and will not run again."""
    assignment_id = entry["assignment_id"]
    if "end" in entry or (state.group is not None and state.group.assignment_id == assignment_id):
        return False
    may_run_again = state.row is None or state.row.assignment_id == assignment_id
    return not (policy.rerun_interrupted and may_run_again)


def enforce_row(policy, state):
    """Runs the row's assignment, and no other."""
    row, group = state.row, state.group
    if row is None or (group is not None and group.terminated_as is not None):
        return state, []
    if group is not None and group.assignment_id != row.assignment_id:
        return terminate(state, "stopped")
    if row.vm is None:
        return state, []
    entry = find_entry(state.journal, row.assignment_id)
    if entry is None or ("end" not in entry and group is None):
        return state.but(last_printed=row.frame), [{"do": "launch", "vm": row.vm, "frame": row.frame}]
    return notify_gateway(policy, state, entry)


def notify_gateway(policy, state, entry):
    """Acknowledges the assignment, and sets the VM failed if need be: once on each socket."""
    state, effects = send_once(state, "acknowledge", entry["assignment_id"])
    outcome = entry.get("end", {}).get("outcome")
    if outcome == "interrupted" or (policy.fail_vm_on_error and outcome == "failed"):
        state, more = send_once(state, "fail-vm", entry["assignment_id"])
        effects = [*effects, *more]
    return state, effects


def prepare_exit(policy, state):
    """A stopped agent ends its command. A rejected agent lets its command end by itself."""
    if state.group is not None and not state.deadline_passed:
        if state.exit_reason == "rejected" and not state.group.exited:
            return state, []
        if state.exit_reason == "stopped":
            effects = []
            if state.group.terminated_as is None:
                state, effects = terminate(state, "interrupted")
            return state, [*effects, {"do": "set-deadline"}]
    effects = []
    in_use = state.row is not None and state.row.vm is not None
    entry = find_entry(state.journal, state.row.assignment_id) if in_use else None
    if entry is not None and "end" in entry:
        state, effects = notify_gateway(policy, state, entry)
    if state.deadline_passed or not any(map(is_report_due, state.journal["entries"])):
        return state, [*effects, {"do": "exit", "reason": state.exit_reason}]
    return state, [*effects, {"do": "set-deadline"}]


def terminate(state, terminated_as):
    effect = {"do": "terminate", "assignment_id": state.group.assignment_id}
    return state.but(group=dataclasses.replace(state.group, terminated_as=terminated_as)), [effect]


def save(state, journal):
    return state.but(journal=journal), [{"do": "save", "journal": journal}]


def send_once(state, what, assignment_id):
    key = (what, assignment_id)
    # Without a socket it would be lost. The row, which comes first on the next one, asks again.
    if state.sent is None or key in state.sent:
        return state, []
    return state.but(sent=state.sent | {key}), [{"do": what, "assignment_id": assignment_id}]


# Process groups


def read_process_start(pid):
    """A text that no other process with this pid ever has.

    None if it cannot be read, "ended" for a zombie.
    """
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id") as file:
            return "ended" if fields[0] == "Z" else f"{file.read().strip()}:{fields[19]}"
    except OSError:
        return None


def read_leader(pid):
    start = read_process_start(pid)
    return {"pid": pid} if start in (None, "ended") else {"pid": pid, "birth_mark": start}


def is_group_alive(leader):
    """Whether any member of the leader's group is alive. Zombies do not count."""
    pid, start = leader["pid"], leader.get("birth_mark")
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # The group has members, which belong to another user.
    if start is not None and start.split(":")[0] != (read_process_start(os.getpid()) or start).split(":")[0]:
        return False
    present = read_process_start(pid)
    # Another process has the number, so the group was empty when that process got it.
    if start is not None and present not in (None, "ended", start):
        return False
    return any(state not in "ZX" for state in read_member_states(pid))


def read_member_states(group):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        # The process may have ended since.
        with contextlib.suppress(OSError, IndexError):
            with open(f"/proc/{pid}/stat") as file:
                state, _, process_group = file.read().rpartition(")")[2].split()[:3]
            if int(process_group) == group:
                yield state


async def end_group(leader, grace_s):
    """Ends the group: SIGTERM first, SIGKILL after the grace. Returns when the group is empty."""
    if not is_group_alive(leader):
        return
    signal_group(leader, signal.SIGTERM)
    loop = asyncio.get_running_loop()
    kill_at = loop.time() + grace_s
    while is_group_alive(leader):
        if loop.time() >= kill_at:
            signal_group(leader, signal.SIGKILL)
        await asyncio.sleep(0.05)


def signal_group(leader, number):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader["pid"], number)


class StateFile:
    """The journal on disk: complete at every moment, durable once saved, used by one agent."""

    def __init__(self, path):
        try:
            os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
            # If the state file is a symlink, its target is replaced.
            self.path = os.path.realpath(path)
            # The lock lasts until the process ends, however it ends.
            self.lock = os.open(self.path + ".flock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.journal = self.read()
            # A file that cannot be written must fail at the start, not at an assignment.
            self.save(self.journal)
        except BlockingIOError as error:
            raise AgentFileError(f"Another agent uses the state file {path}.") from error
        except OSError as error:
            raise AgentFileError(f"The state file {path} cannot be used: {error}") from error

    def read(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                journal = json.load(file)
        except FileNotFoundError:
            return {"format": 1, "entries": []}
        except ValueError:
            journal = None
        if is_journal(journal):
            return journal
        raise AgentFileError(
            f"The state file {self.path} was not written by this agent, so the assignments that were run are unknown. "
            "Check which commands have run, then remove the file. The current assignment will then be run."
        )

    def save(self, journal):
        """Replaces the file atomically and durably, as src/agent/README.md says."""
        draft = self.path + ".new"
        # A killed agent may have left a draft. A file or link of another user keeps its content.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        with open(os.open(draft, CREATE_ONLY, 0o600), "w", encoding="utf-8") as file:
            json.dump(journal, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, self.path)
        folder = os.open(os.path.dirname(self.path), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


class Agent:
    """The running agent: passes events to the reducer one by one, and carries out the effects."""

    def __init__(self, options, state_file):
        self.options = options
        self.state_file = state_file
        self.policy = Policy(
            "print" if options.program is None else "run", options.rerun_interrupted, options.fail_vm_on_error
        )
        self.events = collections.deque()
        self.wake = asyncio.Event()
        self.failure = None
        self.watch = None
        self.last_frame = ""
        self.is_live = False
        self.is_retry_pending = False
        self.running = None  # The command that was launched last: "leader", "start", "exited".
        self.deadline = None
        self.tasks = set()

    async def run(self):
        """Works until it is stopped (exit code 0), or rejected for good (exit code 2)."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.dispatch, {"type": "stop"})
        self.state = create_initial_state(self.state_file.journal, await self.end_orphans())
        self.watch = client.Client(self.options.http, self.read_token).watch_vm(
            self.options.hostname,
            on_connection=self.follow_connection,
            on_frame=self.keep_frame,
            on_update=self.receive,
            on_rejection=self.handle_rejection,
        )
        self.run_beside(self.watch.wait_closed())
        self.dispatch({"type": "start"})
        try:
            reason = None
            while reason is None:
                reason = await self.handle(await self.next_event())
        except Exception:
            await self.end_running()
            raise
        await self.watch.close()
        return 0 if reason == "stopped" else 2

    async def end_orphans(self):
        """Ends the commands of a killed agent. Returns the assignment whose group survives."""
        entries = self.state_file.journal["entries"]
        for entry in entries:
            if "end" not in entry and "leader" in entry and is_group_alive(entry["leader"]):
                log(f"ending the command of {entry['assignment_id']}, which lost its agent")
                await end_group(entry["leader"], self.options.grace)
        last = entries[-1] if entries else {}
        if "leader" not in last or not is_group_alive(last["leader"]):
            return None
        self.running = {"leader": last["leader"], "exited": None}
        return last["assignment_id"]

    def dispatch(self, event):
        self.events.append(event)
        self.wake.set()

    async def next_event(self):
        while True:
            if self.failure is not None:
                raise self.failure
            if self.events:
                return self.events.popleft()
            self.wake.clear()
            await self.wake.wait()

    async def handle(self, event):
        self.state, effects = reduce(self.policy, self.state, event, now())
        for effect in effects:
            if effect["do"] == "exit":
                return effect["reason"]
            await self.perform(effect)
        return None

    async def perform(self, effect):
        kind, assignment_id = effect["do"], effect.get("assignment_id")
        if kind == "save":
            self.state_file.save(effect["journal"])
        elif kind == "launch":
            self.launch(effect["vm"], effect["frame"])
        elif kind == "start":
            log(f"{assignment_id} starts")
            self.running["exited"] = self.run_beside(self.running["start"]())
        elif kind == "terminate":
            self.run_beside(self.terminate(assignment_id))
        elif kind == "acknowledge":
            await self.watch.acknowledge(assignment_id)
        elif kind == "fail-vm":
            await self.watch.report_status("failed", assignment_id)
        elif kind == "report":
            self.run_beside(self.report(effect["entry"]))
        elif kind == "print":
            print(effect["line"], flush=True)
        elif kind == "register":
            path = client.vm_path(self.options.hostname)
            self.run_beside(self.send_until_answered("the registration", "PUT", path))
        elif kind == "set-deadline" and self.deadline is None:
            seconds = self.options.grace + LAST_REPORTS_S
            loop = asyncio.get_running_loop()
            self.deadline = loop.call_later(seconds, self.dispatch, {"type": "deadline"})

    def run_beside(self, work):
        """Runs beside the events. A failure ends the agent."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.finish_task)
        return task

    def finish_task(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.failure = self.failure or task.exception()
            self.wake.set()

    # The command

    def launch(self, vm, frame):
        """Creates the command's process, up to the start barrier. The result is the next event."""
        assignment_id = vm["assignment_id"]
        if self.policy.act == "print":
            start = lambda: self.print_assignment(assignment_id, frame)  # noqa: E731
            self.running = {"leader": None, "exited": None, "start": start}
            self.events.appendleft({"type": "launched", "assignment_id": assignment_id})
            return
        try:
            process, barrier = self.create_process(vm, frame)
        except OSError as error:
            log(f"{assignment_id} cannot be started: {error}")
            self.events.appendleft({"type": "exited", "assignment_id": assignment_id, "code": None, "signal": None})
            return
        leader = read_leader(process.pid)

        def start():
            with contextlib.suppress(BrokenPipeError):
                os.write(barrier, b"\n")
            os.close(barrier)
            return self.wait_for_exit(process, assignment_id, leader)

        self.running = {"leader": leader, "exited": None, "start": start}
        self.events.appendleft({"type": "launched", "assignment_id": assignment_id, "leader": leader})

    async def print_assignment(self, assignment_id, frame):
        print(frame, flush=True)
        self.dispatch({"type": "exited", "assignment_id": assignment_id, "code": 0, "signal": None})
        self.dispatch({"type": "group-ended", "assignment_id": assignment_id})

    def create_process(self, vm, frame):
        """The process and its barrier. Its stdin is an unlinked file with the whole message."""
        scratch = self.state_file.path + ".command"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(scratch)
        with open(os.open(scratch, CREATE_ONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(frame + "\n")
        with open(os.open(scratch, os.O_RDONLY | os.O_NOFOLLOW)) as message:
            os.unlink(scratch)
            reader, barrier = os.pipe()
            try:
                process = subprocess.Popen(
                    ["/bin/sh", "-c", BARRIER, "agent", *self.options.program],
                    stdin=message,
                    env={**select_variables(self.options.env), **build_variables(vm)},
                    # In this process file descriptor 3 is the lock, which was opened first.
                    preexec_fn=lambda: os.dup2(reader, 3),
                    pass_fds=[3],
                    start_new_session=True,
                )
            except OSError:
                os.close(barrier)
                raise
            finally:
                os.close(reader)
        return process, barrier

    async def wait_for_exit(self, process, assignment_id, leader):
        while (code := process.poll()) is None:
            await asyncio.sleep(0.05)
        name = signal.Signals(-code).name if code < 0 else None
        code = None if code < 0 else code
        log(f"{assignment_id} has ended: {name or f'exit code {code}'}")
        self.dispatch({"type": "exited", "assignment_id": assignment_id, "code": code, "signal": name})
        if not is_group_alive(leader):
            self.dispatch({"type": "group-ended", "assignment_id": assignment_id})

    async def terminate(self, assignment_id):
        await self.end_running()
        self.dispatch({"type": "group-ended", "assignment_id": assignment_id})

    async def end_running(self):
        """Returns once the group is empty, and the exit of its first process was dispatched."""
        if self.running is None:
            return
        if self.running["leader"] is not None:
            await end_group(self.running["leader"], self.options.grace)
        if self.running["exited"] is not None:
            await asyncio.wait({self.running["exited"]})

    # The gateway over HTTP

    async def report(self, entry):
        assignment_id = entry["assignment_id"]
        body = {name: entry["end"][name] for name in ("outcome", "exit_code", "signal")}
        path = f"/v1/assignments/{assignment_id}/end"
        await self.send_until_answered(f"the report of {assignment_id}", "PUT", path, body)
        self.dispatch({"type": "reported", "assignment_id": assignment_id})

    async def send_until_answered(self, what, method, path, body=None):
        """Repeats the request with backoff, until the gateway itself answers."""
        failures = 0
        while True:
            try:
                response = await asyncio.to_thread(self.send_request, method, path, body)
                status, code, reason = response.status, response.problem.get("code"), response.reason
                if status < 300:
                    return
                is_from_gateway = code is not None and code != "not_found"
                if is_from_gateway and status < 500 and status not in (401, 408, 429):
                    log(f"{what} was rejected: {reason}")
                    return
            except (OSError, ValueError, AgentFileError) as error:
                reason = str(error)
            pause = client.choose_pause_s("soon", failures, random.random())
            failures += 1
            log(f"{what}: trying again in {pause:.0f} s: {reason}")
            await asyncio.sleep(pause)

    def send_request(self, method, path, body=None):
        return client.send_request(method, self.options.http + path, self.read_token(), body)

    def warn_if_exposed(self):
        """Container platforms mount secrets that every user can read, so the file is used."""
        path = self.options.token_file
        if os.stat(path).st_mode & 0o044:
            log(f"Other users may read the token file {path}; run: chmod 600 {path}")

    def read_token(self):
        try:
            return client.read_token_file(self.options.token_file)
        except OSError as error:
            raise AgentFileError(f"The token file {self.options.token_file} cannot be read.") from error

    # The gateway over its WebSocket

    def follow_connection(self, state):
        text = client.describe_state(state)
        if text is not None:
            log(text)
        if state.phase == "reconnecting":
            self.dispatch({"type": "disconnected"})
        elif state.phase == "closed" and state.rejected:
            self.dispatch({"type": "rejected"})
        self.is_live = state.phase == "live"
        if self.is_live and self.is_retry_pending:
            self.is_retry_pending = False
            self.dispatch({"type": "unavailable"})

    def keep_frame(self, frame):
        self.last_frame = client.fold_lines(frame)

    def receive(self, message):
        self.dispatch({"type": "row", "message": message, "frame": self.last_frame})

    def handle_rejection(self, message):
        # The database went back, or another server answered, if a rejected row stays as it is.
        if message["code"] == "stale_assignment" and not self.is_live:
            self.is_retry_pending = True
        elif message["code"] in ("unavailable", "stale_assignment"):
            loop = asyncio.get_running_loop()
            loop.call_later(UNAVAILABLE_PAUSE_S, self.dispatch, {"type": "unavailable"})


def select_variables(more):
    """The agent's variables that a program may see: the allow-list, and those named in `more`."""
    return {name: value for name, value in os.environ.items() if FOR_COMMANDS.fullmatch(name) or name in more}


def build_variables(vm):
    """A command that is too long for a variable is on stdin only."""
    command, email = vm.get("crd_command"), vm.get("email")
    fits = isinstance(command, str) and len(command.encode()) <= MAX_STRING_BYTES
    return {
        "LABLINK_ASSIGNMENT_ID": vm["assignment_id"],
        "LABLINK_HOSTNAME": vm["hostname"],
        **({"LABLINK_EMAIL": email} if isinstance(email, str) else {}),
        **({"LABLINK_CRD_COMMAND": command} if fits else {}),
    }


def parse_options(arguments):
    parser = argparse.ArgumentParser(description="Act on the assignments of this VM: print them, or run a program for each.")
    parser.add_argument("--url", required=True, help="the gateway's URL")
    parser.add_argument("--state-file", required=True, help="the file that records which assignments were run")
    parser.add_argument("--token-file", required=True, help="the file with the agent's token; it is read again before the token expires, and when the gateway rejects it")
    parser.add_argument("--hostname", default=socket.gethostname(), help="the VM (default: the machine's name)")
    parser.add_argument("--grace", type=int, default=10, help="seconds between SIGTERM and SIGKILL")
    parser.add_argument("--env", action="append", default=[], help="a variable that the program inherits besides PATH, HOME and the like; repeatable")
    parser.add_argument("--fail-vm-on-error", action="store_true", help="set the VM failed when its program fails")
    parser.add_argument("--rerun-interrupted", action="store_true", help="run an interrupted program again")
    parser.add_argument("--exec", dest="program", nargs=argparse.REMAINDER, help="run PROGRAM ARGS... for each assignment")
    options = parser.parse_args(arguments)
    if options.program == []:
        parser.error("--exec needs a program: it comes last, with its arguments")
    try:
        options.http = client.parse_address(options.url)
    except ValueError as error:
        parser.error(str(error))
    return options


def main():
    options = parse_options(sys.argv[1:])
    try:
        state_file = StateFile(options.state_file)

        async def run():
            agent = Agent(options, state_file)
            # A missing token file is a mistake now; later the agent waits for it.
            agent.read_token()
            agent.warn_if_exposed()
            return await agent.run()

        return asyncio.run(run())
    except AgentFileError as error:
        log(str(error))
        return 2
    except OSError as error:
        log(f"The agent cannot continue: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
