// The environment of a session under test: requests that settle when the test decides, a stream
// that counts its calls, and fixed clocks.

import type { Identity, VerifyResult } from '../../../src/gateway/auth/token.js';
import type { Role } from '../../../src/gateway/auth/roles.js';
import type { StatusReport } from '../../../src/protocol/messages.js';
import type { RejectionReason } from '../../../src/gateway/session/limits.js';
import type { RequestRejection, RequestHandlers } from '../../../src/gateway/session/requests.js';
import { Session, type SessionSettings } from '../../../src/gateway/session/session.js';
import type { Stream } from '../../../src/gateway/session/stream.js';
import { MemorySocket } from '../../helpers/memory-socket.js';

export const HEARTBEAT_MS = 1_000;
/** When tokens of `createIdentity` expire, by the wall clock. */
export const EXPIRES_AT_MS = 5_000_000;

export function createIdentity(role: Role, sub = 'vm-1', expiresAtMs = EXPIRES_AT_MS): Identity {
  return { role, sub, expiresAtMs };
}

export class StreamRecorder implements Stream {
  readonly kind = 'vm';
  readonly state = 'live';
  conflated = 0;
  lagging = false;
  starts = 0;
  drains = 0;
  stops = 0;

  start(): void {
    this.starts++;
  }

  sendPending(): void {
    this.drains++;
  }

  stop(): void {
    this.stops++;
  }
}

interface Pending {
  readonly resolve: (rejection?: RequestRejection) => void;
  readonly reject: (error: unknown) => void;
}

export class RecordedRequests implements RequestHandlers {
  /** The requests, with their arguments. */
  readonly asked: unknown[][] = [];
  /** The requests that have not settled. */
  readonly pending: Pending[] = [];
  /** The result of `verify`. */
  verified: VerifyResult = { ok: false, reason: 'invalid' };

  acknowledge(agent: Identity, assignmentId: string): Promise<RequestRejection | undefined> {
    return this.#ask('acknowledge', agent.sub, assignmentId);
  }

  reportStatus(agent: Identity, report: StatusReport): Promise<RequestRejection | undefined> {
    return this.#ask('reportStatus', agent.sub, report);
  }

  verify(token: string): VerifyResult {
    this.asked.push(['verify', token]);
    return this.verified;
  }

  #ask(...asked: unknown[]): Promise<RequestRejection | undefined> {
    this.asked.push(asked);
    return new Promise((resolve, reject) => this.pending.push({ resolve, reject }));
  }
}

/** Starts a session and returns its environment. The welcome is already read from the socket. */
export function setUp({ role, sub, nowMs }: { role?: Role; sub?: string; nowMs?: number } = {}) {
  const socket = new MemorySocket();
  const stream = new StreamRecorder();
  const requests = new RecordedRequests();
  const bugs: unknown[] = [];
  const rejections: RejectionReason[] = [];
  const settings: SessionSettings = {
    gateway: 'g',
    heartbeatMs: HEARTBEAT_MS,
    requests,
    onRejection: (reason) => rejections.push(reason),
    onBug: (error) => bugs.push(error),
  };
  const session = new Session(
    socket,
    stream,
    settings,
    createIdentity(role ?? 'agent', sub),
    nowMs ?? 0,
  );
  session.start(true);
  const welcome = socket.messages();
  const say = (message: unknown): void => session.receive(JSON.stringify(message), 0);
  return { socket, stream, requests, bugs, rejections, session, settings, welcome, say };
}

/** Resolves when the callbacks of settled promises have run. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
