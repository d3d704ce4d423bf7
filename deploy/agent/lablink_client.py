#!/usr/bin/env python3
"""The client of a gateway in one file: watches one VM or all VMs, and stays connected.

It follows the rules of the client library for JavaScript: the same close codes, pauses, renewal of
the token, resuming and checks. The scenarios in test/conformance/scenarios.json are run against
both. As a program it prints the gateway's messages, one per line.

    async with Client("https://gateway.example.org", token=read_token).watch_vm("vm-1") as vm:
        async for state in vm:
            if state["type"] == "assignment":
                await vm.acknowledge(state["vm"]["assignment_id"])

Needs Python 3.9 and the package `websockets`, version 10 or later.
"""

import argparse
import asyncio
import base64
import contextlib
import dataclasses
import inspect
import json
import os
import random
import re
import signal
import socket
import ssl
import sys
import time
import typing
import urllib.error
import urllib.parse
import urllib.request

import websockets

Json = typing.Dict[str, typing.Any]
Token = typing.Optional[str]
# A token, or a function that returns a fresh one each time it is called. None sends no token.
TokenSource = typing.Union[Token, typing.Callable[[], typing.Union[Token, typing.Awaitable[Token]]]]

SUBPROTOCOL = "lablink.v1"
# From the first packet to `welcome`; also the limit for an HTTP response.
CONNECT_TIMEOUT_S = 15.0
# How long a peer may take to answer a close.
CLOSE_TIMEOUT_S = 2.0
# After a connection that lasted this long, the backoff starts again from the beginning.
STABLE_S = 10.0
# A token that expires this soon is not used for a new connection.
NEARLY_EXPIRED_S = 10.0
# The shortest pause between two attempts to renew a token.
MIN_RENEWAL_S = 1.0
MAX_INTERVAL_MS = 2**31 - 1
# When to reconnect after each close code: src/protocol/README.md. Any other code means soon.
POLICIES = {1009: "no", 1013: "later", 4400: "no", 4401: "new-token", 4403: "no", 4409: "no", 4429: "later"}
# The longest pause after the first failure, and after any number of failures, in seconds.
SOON = (2.0, 30.0)
LATER = (15.0, 120.0)


class Vm(typing.TypedDict, total=False):
    """A row of the table `vms`, with its other columns. A dashboard never gets `crd_command`."""

    id: int
    hostname: str
    status: str
    email: typing.Optional[str]
    crd_command: typing.Optional[str]
    assignment_id: typing.Optional[str]
    version: typing.Optional[int]
    created_at: typing.Optional[str]
    updated_at: typing.Optional[str]


class VmState(typing.TypedDict, total=False):
    """The state of one VM: `assignment` and `status` have `vm`, `absent` has `hostname`."""

    type: str
    vm: Vm
    hostname: str


class Presence(typing.TypedDict, total=False):
    """What is known about an agent: src/protocol/README.md."""

    hostname: str
    online: bool
    since: typing.Optional[str]
    duplicate: bool
    acked_assignment_id: typing.Optional[str]
    delivery: typing.Optional[Json]


class HostState(typing.NamedTuple):
    """The row of a hostname and the presence of its agent; None if there is none."""

    vm: typing.Optional[Vm]
    presence: typing.Optional[Presence]


FleetUpdate = typing.Dict[str, HostState]


@dataclasses.dataclass(frozen=True)
class ConnectionState:
    """The state of a watch's connection.

    `phase` is connecting, live, stale (the gateway has lost its database), reconnecting or closed.
    `code` is a WebSocket close code or, below 1000, an HTTP status. `rejected` says that the
    gateway closed the watch for good.
    """

    phase: str
    reason: str = ""
    code: typing.Optional[int] = None
    pause_s: float = 0.0
    rejected: bool = False


class RejectedError(Exception):
    """The gateway closed the watch for good."""

    def __init__(self, reason: str, code: typing.Optional[int]) -> None:
        super().__init__(reason)
        self.code = code


class MalformedError(Exception):
    """The gateway sent a frame that the protocol does not allow."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Why a connection, or an attempt to connect, ended; `policy` as in `POLICIES`."""

    policy: str
    reason: str
    code: typing.Optional[int] = None
    not_before_s: float = 0.0
    resync: bool = False


MALFORMED = Outcome("later", "the gateway sent something malformed", 4400, resync=True)


# Addresses


def parse_address(url: str) -> str:
    """The gateway's URL over HTTP, without a slash at its end, its query and its fragment.

    Raises ValueError if `url` is not an absolute URL of http, https, ws or wss.
    """
    parts = urllib.parse.urlsplit(url)
    scheme = {"http": "http", "ws": "http", "https": "https", "wss": "https"}.get(parts.scheme)
    if scheme is None or parts.netloc == "":
        raise ValueError(f"The URL of a gateway starts with http, https, ws or wss: {url}")
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def vm_path(hostname: str) -> str:
    """The path of one VM. `.` and `..` would be steps in the path, so they are escaped."""
    escaped = "~" + hostname if re.fullmatch(r"~*\.\.?", hostname) else hostname
    return "/v1/vms/" + urllib.parse.quote(escaped, safe="!'()*")


# HTTP


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is not followed: the token would go to another place."""

    def redirect_request(self, *_arguments: typing.Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


@dataclasses.dataclass(frozen=True)
class Response:
    """`problem` is the body of the gateway's own rejection (RFC 9457), and empty otherwise."""

    status: int
    problem: Json
    retry_after_s: float = 0.0

    @property
    def reason(self) -> str:
        if not self.problem:
            return f"HTTP {self.status}"
        return f"HTTP {self.status} {self.problem['code']}: {self.problem.get('detail')}"


def send_request(method: str, url: str, token: Token, body: typing.Optional[Json] = None) -> Response:
    """Sends a request, and blocks until the response. Raises OSError if there is none."""
    request = urllib.request.Request(url, method=method, headers={"User-Agent": "lablink-client.py"})
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with _OPENER.open(request, timeout=CONNECT_TIMEOUT_S) as response:
            return Response(response.status, {})
    except urllib.error.HTTPError as error:
        with error:
            return Response(error.code, _read_problem(error), _read_retry_after(error.headers.get("Retry-After")))


def _read_problem(error: urllib.error.HTTPError) -> Json:
    if not (error.headers.get("Content-Type") or "").startswith("application/problem+json"):
        return {}
    with contextlib.suppress(ValueError):
        body = json.loads(error.read())
        if isinstance(body, dict) and isinstance(body.get("code"), str):
            return body
    return {}


def _read_retry_after(header: typing.Optional[str]) -> float:
    """A date is ignored, because it depends on the clocks of both sides."""
    return float(header) if header is not None and re.fullmatch(r"[0-9]{1,6}", header) else 0.0


def classify_response(response: Response) -> Outcome:
    """How to go on after an upgrade was rejected. Only the gateway's own rejection is final."""
    status, code, reason = response.status, response.problem.get("code"), response.reason
    if status == 401:
        return Outcome("new-token", reason, status)
    if status >= 500:
        return Outcome("soon", reason, status, response.retry_after_s)
    # A VM without a row answers 404 over HTTP, but its socket opens: the rejection has passed.
    if status < 300 or code == "vm_not_found":
        hint = "has it room for one more, and does a proxy forward the upgrade?"
        return Outcome("soon", f"the gateway answers HTTP, but no WebSocket was opened; {hint}", status)
    if code is None or status == 429:
        return Outcome("later", reason, status, response.retry_after_s)
    if code == "invalid_cursor":
        return Outcome("soon", reason, status, resync=True)
    return Outcome("no", reason, status)


def describe_network_error(error: BaseException) -> str:
    """Why a request did not reach the gateway, for people."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    unreachable = "the gateway cannot be reached"
    if isinstance(cause, socket.gaierror):
        return f"{unreachable}: its host name is not found in DNS ({cause})"
    if isinstance(cause, ConnectionRefusedError):
        return f"{unreachable}: no process listens there ({cause})"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"{unreachable}: its TLS certificate is not trusted ({cause.verify_message})"
    if isinstance(cause, (socket.timeout, asyncio.TimeoutError)):
        return f"{unreachable}: it does not answer in time"
    return f"{unreachable}: {cause}"


def choose_pause_s(policy: str, failures: int, chance: float, not_before_s: float = 0.0) -> float:
    """A pause with full jitter, whose longest value doubles with each failure in a row.

    `chance` is random, from 0 up to, not including, 1.
    """
    base, cap = LATER if policy == "later" else SOON
    return min(not_before_s, cap) + chance * min(cap, base * 2.0 ** min(failures, 30))


# The token


def read_seconds_left(token: str) -> typing.Optional[float]:
    """Seconds until a JWT expires, without verifying it; None if it names no time."""
    parts = token.split(".")
    with contextlib.suppress(ValueError):
        payload = parts[1] if len(parts) > 1 else ""
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        if isinstance(claims, dict) and isinstance(claims.get("exp"), (int, float)):
            return float(claims["exp"]) - time.time()
    return None


class TokenCache:
    """The token that all sockets of a client use. Only the gateway decides whether it is valid."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._current: Token = None

    @property
    def renewable(self) -> bool:
        return callable(self._source)

    async def get(self) -> Token:
        """The current token, or a fresh one if it expires soon. Raises what the source raises."""
        if self._current is not None:
            left = read_seconds_left(self._current)
            if left is None or left > NEARLY_EXPIRED_S:
                return self._current
        return await self.renew()

    async def renew(self) -> Token:
        token = self._source() if callable(self._source) else self._source
        self._current = await token if inspect.isawaitable(token) else token
        return self._current

    def invalidate(self) -> None:
        """Forgets the current token, because the gateway rejected it."""
        self._current = None

    async def keep_fresh(self, token: Token, send: typing.Callable[[str], typing.Awaitable[bool]]) -> None:
        """Sends a fresh token after 80 to 90 % of the remaining lifetime, again and again."""
        while token is not None and self.renewable:
            left = read_seconds_left(token)
            if left is None or left <= 0:
                return
            await asyncio.sleep(max(left * (0.8 + 0.1 * random.random()), MIN_RENEWAL_S))
            fresh: Token = None
            with contextlib.suppress(Exception):
                fresh = await self.renew()
            if fresh is not None and fresh != token:
                await send(fresh)
                token = fresh


# Messages


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_vm(value: object) -> bool:
    return isinstance(value, dict) and _is_text(value.get("hostname")) and _is_text(value.get("status"))


def _is_presence(value: object) -> bool:
    return isinstance(value, dict) and _is_text(value.get("hostname")) and isinstance(value.get("online"), bool)


def _is_list(value: object, is_item: typing.Callable[[object], bool]) -> bool:
    return isinstance(value, list) and all(map(is_item, value))


def _is_change(value: object) -> bool:
    """An unknown `op` is accepted and ignored, like a message of an unknown type."""
    if not isinstance(value, dict):
        return False
    if value.get("op") == "upsert":
        return _is_vm(value.get("vm"))
    if value.get("op") == "presence":
        return _is_presence(value)
    return _is_text(value.get("hostname" if value.get("op") == "delete" else "op"))


def _is_interval(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= MAX_INTERVAL_MS


# The fields that the client uses, by type; in a row, the hostname and the status only.
_CHECKS: typing.Dict[str, typing.Callable[[Json], bool]] = {
    "welcome": lambda m: _is_interval(m.get("heartbeat_ms")) and isinstance(m.get("live"), bool),
    "assignment": lambda m: _is_vm(m.get("vm")),
    "status": lambda m: _is_vm(m.get("vm")),
    "absent": lambda m: _is_text(m.get("hostname")),
    "snapshot": lambda m: (
        _is_list(m.get("vms"), _is_vm)
        and _is_list(m.get("presence"), _is_presence)
        and (m.get("more") is True or _is_text(m.get("cursor")))
    ),
    "changes": lambda m: _is_list(m.get("changes"), _is_change) and _is_text(m.get("cursor")),
    "feed": lambda m: isinstance(m.get("live"), bool),
    "error": lambda m: _is_text(m.get("code")) and _is_text(m.get("message")),
    "pong": lambda _: True,
}


def read_message(text: str) -> typing.Optional[Json]:
    """The message of a text frame; None for an unknown type. Raises MalformedError."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError(str(error)) from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise MalformedError("a message is an object with a type")
    check = _CHECKS.get(message["type"])
    if check is None:
        return None
    if not check(message):
        raise MalformedError(f"a field of {message['type']} is missing or wrong")
    return message


# Models: the state of a watch, without I/O. `apply` returns the update, or None while a snapshot is
# incomplete.

Update = typing.TypeVar("Update")


class Model(typing.Generic[Update]):
    path: str

    def drop_partial(self) -> None:
        """A new socket is opening: the unfinished snapshot of the last one is void."""

    def resync(self) -> None:
        """The next socket must ask for the whole state."""

    def apply(self, message: Json) -> typing.Optional[Update]:
        raise NotImplementedError

    def read_all(self) -> typing.Optional[Update]:
        """The whole state as an update; None before it is known."""
        raise NotImplementedError

    def merge(self, earlier: typing.Optional[Update], later: Update) -> Update:
        """Two updates as one, for a consumer that has not read the earlier one."""
        raise NotImplementedError


class VmModel(Model[VmState]):
    def __init__(self, hostname: str) -> None:
        self.path = vm_path(hostname)
        self.state: typing.Optional[VmState] = None

    def apply(self, message: Json) -> VmState:
        if message["type"] in ("snapshot", "changes"):
            raise MalformedError("a message about all VMs")
        self.state = typing.cast(VmState, message)
        return self.state

    def read_all(self) -> typing.Optional[VmState]:
        return self.state

    def merge(self, earlier: typing.Optional[VmState], later: VmState) -> VmState:
        return later


class FleetModel(Model[FleetUpdate]):
    def __init__(self) -> None:
        self.vms: typing.Dict[str, Vm] = {}
        self.presence: typing.Dict[str, Presence] = {}
        self.cursor: typing.Optional[str] = None
        self._loaded = False
        self._parts: typing.Optional[typing.Tuple[typing.Dict[str, Vm], typing.Dict[str, Presence]]] = None

    @property
    def path(self) -> str:  # type: ignore[override]
        query = "" if self.cursor is None else "?cursor=" + urllib.parse.quote(self.cursor, safe="")
        return "/v1/vms" + query

    def drop_partial(self) -> None:
        self._parts = None

    def resync(self) -> None:
        self.cursor = None

    def apply(self, message: Json) -> typing.Optional[FleetUpdate]:
        if message["type"] == "snapshot":
            return self._apply_part(message)
        # Changes continue a complete state: before a snapshot and inside one they are misplaced.
        if message["type"] != "changes" or not self._loaded or self._parts is not None:
            raise MalformedError("a message that cannot follow the ones before it")
        return self._apply_changes(message)

    def read_all(self) -> typing.Optional[FleetUpdate]:
        if not self._loaded:
            return None
        return {hostname: self._read_host(hostname) for hostname in {*self.vms, *self.presence}}

    def merge(self, earlier: typing.Optional[FleetUpdate], later: FleetUpdate) -> FleetUpdate:
        return {**(earlier or {}), **later}

    def _apply_part(self, message: Json) -> typing.Optional[FleetUpdate]:
        vms, presence = self._parts = self._parts or ({}, {})
        vms.update((vm["hostname"], vm) for vm in message["vms"])
        presence.update((agent["hostname"], agent) for agent in message["presence"])
        if message["more"]:
            return None
        known = {*self.vms, *self.presence, *vms, *presence}
        # The dictionaries stay the same objects, because the program may hold them.
        self.vms.clear()
        self.vms.update(vms)
        self.presence.clear()
        self.presence.update(presence)
        self._parts = None
        self.cursor = message["cursor"]
        self._loaded = True
        return {hostname: self._read_host(hostname) for hostname in known}

    def _apply_changes(self, message: Json) -> FleetUpdate:
        changed = set()
        for change in message["changes"]:
            op = change["op"]
            if op == "upsert":
                hostname = change["vm"]["hostname"]
                self.vms[hostname] = change["vm"]
            elif op == "delete":
                hostname = change["hostname"]
                self.vms.pop(hostname, None)
            elif op == "presence":
                hostname = change["hostname"]
                self._set_presence(change)
            else:
                continue
            changed.add(hostname)
        self.cursor = message["cursor"]
        return {hostname: self._read_host(hostname) for hostname in changed}

    def _set_presence(self, change: Json) -> None:
        """An agent that is away, and has neither a time nor a delivery, is forgotten."""
        presence = {name: value for name, value in change.items() if name != "op"}
        if change["online"] or change.get("since") is not None or change.get("delivery") is not None:
            self.presence[change["hostname"]] = typing.cast(Presence, presence)
        else:
            self.presence.pop(change["hostname"], None)

    def _read_host(self, hostname: str) -> HostState:
        return HostState(self.vms.get(hostname), self.presence.get(hostname))


# Watches


@dataclasses.dataclass
class _Reader(typing.Generic[Update]):
    """What one loop over a watch has not read yet. It is merged, so that no queue grows."""

    pending: typing.Optional[Update]
    wake: asyncio.Event


Listener = typing.Optional[typing.Callable[[typing.Any], None]]


class Watch(typing.Generic[Update]):
    """A watch, from its creation until `close` is called, or the gateway rejects it for good.

    A loop over it starts with the current state, once it is known, and goes on with the changes.
    Leaving the loop closes the watch. After a rejection the loop raises RejectedError.
    """

    def __init__(
        self,
        address: str,
        tokens: TokenCache,
        model: Model[Update],
        on_connection: Listener,
        on_frame: Listener,
        on_update: Listener,
        on_rejection: Listener,
    ) -> None:
        self.connection = ConnectionState("connecting")
        self._address = address
        self._tokens = tokens
        self._model = model
        self._listeners = {
            "connection": on_connection,
            "frame": on_frame,
            "update": on_update,
            "rejection": on_rejection,
        }
        self._readers: typing.List[_Reader[Update]] = []
        # The socket, from `welcome` to its end.
        self._socket: typing.Any = None
        self._welcomed_at: typing.Optional[float] = None
        self._feed_live = True
        self._current = False
        self._closing = False
        self._task = asyncio.ensure_future(self._run())
        self._task.add_done_callback(self._finish)

    async def __aenter__(self) -> "Watch[Update]":
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def __aiter__(self) -> typing.AsyncIterator[Update]:
        reader = _Reader(self._model.read_all(), asyncio.Event())
        self._readers.append(reader)
        try:
            while True:
                if reader.pending is not None:
                    update, reader.pending = reader.pending, None
                    yield update
                elif self._task.done():
                    break
                else:
                    reader.wake.clear()
                    await reader.wake.wait()
        finally:
            self._readers.remove(reader)
            await self.close()
        state = await self.wait_closed()
        if state.rejected:
            raise RejectedError(state.reason, state.code)

    async def wait_closed(self) -> ConnectionState:
        """Returns when the watch is closed. Raises what a listener has raised."""
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()
        return self.connection

    async def close(self) -> None:
        """Closes the watch, with a close handshake. A closed watch stays closed."""
        self._closing = True
        while not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=2 * CLOSE_TIMEOUT_S)

    async def send(self, message: Json) -> bool:
        """Sends a message. Returns False if no socket is open; nothing is kept for later."""
        if self._socket is None:
            return False
        try:
            await self._socket.send(json.dumps(message))
        except websockets.ConnectionClosed:
            return False
        return True

    def _finish(self, _task: "asyncio.Future[None]") -> None:
        if self.connection.phase != "closed":
            self._set_state(ConnectionState("closed", "closed by the program"))
        for reader in self._readers:
            reader.wake.set()

    async def _run(self) -> None:
        """Connects and reconnects, until the gateway rejects the watch for good."""
        failures = 0
        while True:
            self._set_state(ConnectionState("connecting"))
            outcome = await self._connect()
            if outcome.resync:
                self._model.resync()
            if outcome.policy == "no":
                self._set_state(ConnectionState("closed", outcome.reason, outcome.code, rejected=True))
                return
            now = asyncio.get_running_loop().time()
            if self._welcomed_at is not None and now - self._welcomed_at >= STABLE_S:
                failures = 0
            pause_s = choose_pause_s(outcome.policy, failures, random.random(), outcome.not_before_s)
            failures += 1
            self._set_state(ConnectionState("reconnecting", outcome.reason, outcome.code, pause_s))
            await asyncio.sleep(pause_s)

    async def _connect(self) -> Outcome:
        try:
            token = await self._tokens.get()
        except Exception as error:  # noqa: BLE001: the source is the program's
            return Outcome("soon", f"there is no token: {error}")
        self._model.drop_partial()
        path = self._model.path
        self._welcomed_at = None
        self._current = False
        outcome = await self._run_socket(path, token)
        if outcome is None:
            outcome = await self._explain_rejection(path, token)
        if outcome.policy != "new-token":
            return outcome
        self._tokens.invalidate()
        return outcome if self._tokens.renewable else dataclasses.replace(outcome, policy="no")

    async def _explain_rejection(self, path: str, token: Token) -> Outcome:
        """Requests the same URL over HTTP, because a WebSocket does not say why it was rejected."""
        try:
            response = await asyncio.to_thread(send_request, "GET", self._address + path, token)
        except (OSError, ValueError) as error:
            return Outcome("soon", describe_network_error(error))
        return classify_response(response)

    async def _run_socket(self, path: str, token: Token) -> typing.Optional[Outcome]:
        """Opens a socket, and returns why it ended; None if it was not opened."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CONNECT_TIMEOUT_S
        try:
            opened = await open_socket(self._address.replace("http", "ws", 1) + path, token)
        except asyncio.TimeoutError:
            return Outcome("soon", "the gateway does not answer", 4408)
        except (OSError, EOFError, ValueError, websockets.WebSocketException):
            return None
        renewal = asyncio.ensure_future(self._tokens.keep_fresh(token, self._send_token))
        try:
            return await self._receive_all(opened, deadline)
        except MalformedError:
            await opened.close(4400)
            return MALFORMED
        except websockets.ConnectionClosed:
            code, reason = opened.close_code or 1006, opened.close_reason
            policy = POLICIES.get(code, "soon")
            return Outcome(policy, reason or f"the connection was lost ({code})", code)
        finally:
            self._socket = None
            renewal.cancel()
            await opened.close()

    async def _receive_all(self, opened: typing.Any, deadline: float) -> Outcome:
        """Receives until the peer is silent. A `ping` asks for a sign of life in between."""
        loop = asyncio.get_running_loop()
        interval_s: typing.Optional[float] = None
        quiet = False
        while True:
            wait_s = max(0.0, deadline - loop.time()) if interval_s is None else interval_s
            try:
                frame = await asyncio.wait_for(opened.recv(), wait_s)
            except asyncio.TimeoutError:
                if interval_s is None or quiet:
                    opened.transport.abort()
                    what = "does not answer" if interval_s is None else "has gone silent"
                    return Outcome("soon", f"the gateway {what}", 4408)
                quiet = True
                await self.send({"type": "ping"})
                continue
            # Before Python 3.12, `wait_for` drops a cancellation that comes together with a frame.
            if self._closing:
                raise asyncio.CancelledError
            quiet = False
            message = self._read_frame(frame)
            if message is None:
                continue
            if message["type"] == "welcome":
                interval_s = message["heartbeat_ms"] / 1000
                self._socket = opened
                self._welcomed_at = loop.time()
                self._feed_live = message["live"]
            else:
                self._handle(message)

    def _read_frame(self, frame: typing.Union[str, bytes]) -> typing.Optional[Json]:
        if not isinstance(frame, str):
            raise MalformedError("a binary frame")
        self._emit("frame", frame)
        return read_message(frame)

    def _handle(self, message: Json) -> None:
        kind = message["type"]
        if kind == "feed":
            self._feed_live = message["live"]
        elif kind == "error":
            self._emit("rejection", message)
        elif kind != "pong":
            update = self._model.apply(message)
            if update is not None:
                self._current = True
                self._publish(update)
        phase = "live" if self._feed_live else "stale"
        if self._current and self.connection.phase != phase:
            self._set_state(ConnectionState(phase))

    def _publish(self, update: Update) -> None:
        for reader in self._readers:
            reader.pending = self._model.merge(reader.pending, update)
            reader.wake.set()
        self._emit("update", update)

    async def _send_token(self, token: str) -> bool:
        return await self.send({"type": "auth", "token": token})

    def _set_state(self, state: ConnectionState) -> None:
        self.connection = state
        self._emit("connection", state)

    def _emit(self, name: str, event: object) -> None:
        listener = self._listeners[name]
        if listener is not None:
            listener(event)


class VmWatch(Watch[VmState]):
    """A watch on one VM. The gateway sends the state again after each reconnect, changed or not."""

    async def acknowledge(self, assignment_id: typing.Optional[str]) -> bool:
        """For agents: the assignment has arrived. Returns False if nothing was sent."""
        return assignment_id is not None and await self.send({"type": "ack", "assignment_id": assignment_id})

    async def report_status(self, status: str, assignment_id: typing.Optional[str] = None) -> bool:
        """For agents: asks to set the VM `failed`, or `available` after it had failed."""
        about = {} if assignment_id is None else {"assignment_id": assignment_id}
        return await self.send({"type": "status", "status": status, **about})


class FleetWatch(Watch[FleetUpdate]):
    """A watch on all VMs. `vms` and `presence` are always the same dictionaries, by hostname."""

    _model: FleetModel

    @property
    def vms(self) -> typing.Mapping[str, Vm]:
        return self._model.vms

    @property
    def presence(self) -> typing.Mapping[str, Presence]:
        return self._model.presence


class Client:
    """The client of one gateway for one identity. Its watches share the token.

    `url` may be http, https, ws or wss, with the path that a proxy gives the gateway. `token` is a
    string, or a function that returns a fresh token or an awaitable of it: it is called to connect,
    before the token expires, and when the gateway rejects it. If it raises, it is called again
    later. With a string, a rejected token closes the watch.

    Raises ValueError if `url` is not the URL of a gateway.
    """

    def __init__(self, url: str, token: TokenSource = None) -> None:
        self._address = parse_address(url)
        self._tokens = TokenCache(token)

    def watch_vm(
        self,
        hostname: str,
        *,
        on_connection: Listener = None,
        on_frame: Listener = None,
        on_update: Listener = None,
        on_rejection: Listener = None,
    ) -> VmWatch:
        """Watches one VM. Call it in a coroutine; a listener is called at once, and in order."""
        model = VmModel(hostname)
        return VmWatch(self._address, self._tokens, model, on_connection, on_frame, on_update, on_rejection)

    def watch_fleet(
        self,
        *,
        on_connection: Listener = None,
        on_frame: Listener = None,
        on_update: Listener = None,
        on_rejection: Listener = None,
    ) -> FleetWatch:
        """Watches all VMs, for dashboards and admins. Listeners as in `watch_vm`."""
        model = FleetModel()
        return FleetWatch(self._address, self._tokens, model, on_connection, on_frame, on_update, on_rejection)


async def open_socket(url: str, token: Token) -> typing.Any:
    """Opens a WebSocket with any version of the package."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    settings: Json = {
        "subprotocols": [SUBPROTOCOL],
        # A row may exceed a megabyte, so the size of a message is not limited.
        "max_size": None,
        "open_timeout": CONNECT_TIMEOUT_S,
        "close_timeout": CLOSE_TIMEOUT_S,
        # The protocol has a `ping` of its own, which proves that the gateway itself is alive.
        "ping_interval": None,
    }
    try:
        return await websockets.connect(url, additional_headers=headers, **settings)
    except TypeError:  # before version 14
        return await websockets.connect(url, extra_headers=headers, **settings)


# The program


def fold_lines(text: str) -> str:
    """Replaces line breaks, which JSON allows only between its tokens."""
    return re.sub(r"[\r\n]+", " ", text)


def read_token_file(path: str) -> str:
    with open(path, encoding="utf-8-sig") as file:
        return file.read().strip()


def describe_state(state: ConnectionState) -> typing.Optional[str]:
    """A line for people; None for a state that needs none."""
    if state.phase == "reconnecting":
        return f"reconnecting in {state.pause_s:.0f} s: {state.reason}"
    if state.phase == "closed":
        return f"refused: {state.reason}" if state.rejected else None
    return {"live": "live", "stale": "stale: the gateway has lost its database"}.get(state.phase)


async def run_program(options: argparse.Namespace) -> int:
    def show_state(state: ConnectionState) -> None:
        text = describe_state(state)
        if text is not None:
            print(text, file=sys.stderr, flush=True)

    client = Client(options.url, lambda: read_token_file(options.token_file))
    listeners: Json = {
        "on_connection": show_state,
        "on_frame": lambda text: print(fold_lines(text), flush=True),
    }
    watch: typing.Any = (
        client.watch_fleet(**listeners) if options.hostname is None else client.watch_vm(options.hostname, **listeners)
    )
    ended = asyncio.ensure_future(watch.wait_closed())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: asyncio.ensure_future(watch.close()))
    state = await ended
    return 1 if state.rejected else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Print the gateway's messages about one VM, or all VMs, one per line.")
    parser.add_argument("hostname", nargs="?", help="the VM to watch (default: all)")
    parser.add_argument("--url", required=True, help="the gateway's URL")
    parser.add_argument("--token-file", required=True, help="a file with a token")
    options = parser.parse_args()
    try:
        parse_address(options.url)
        # A bad token file now is a mistake; later the program waits until it can be read.
        read_token_file(options.token_file)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    try:
        return asyncio.run(run_program(options))
    except BrokenPipeError:
        # No process reads the output any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
