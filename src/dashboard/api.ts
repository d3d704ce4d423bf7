// What the page asks the gateway for over HTTP. A failure is a value: a problem that is told in words.

import { vmPath } from '../protocol/paths.js';
import type { AuditEvent } from './model/history.js';
import type { Delivery } from '../client/index.js';
import type { Problem } from './model/problem-labels.js';

export type ApiResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

export interface Page<T> {
  readonly items: readonly T[];
  /** For `after` of the next page; null at the end. */
  readonly next: string | null;
}

interface RequestOptions {
  readonly body?: object;
  /** The change is wanted only of this version of the row. */
  readonly ifMatch?: number;
}

/** How long an answer may take. */
const TIMEOUT_MS = 15_000;
const HISTORY_LIMIT = 25;
const FEED_LIMIT = 50;

export class Api {
  constructor(
    private readonly base: string,
    private readonly token: string,
  ) {}

  /** The time by the gateway's clock, as an HTTP date; null where it is not told. */
  async readGatewayDate(): Promise<string | null> {
    const response = await fetch(`${this.base}/health/live`).catch(() => undefined);
    return response?.headers.get('date') ?? null;
  }

  readHistory(hostname: string, after: string | undefined): Promise<ApiResult<Page<AuditEvent>>> {
    return this.#events(`${vmPath(hostname)}/events`, HISTORY_LIMIT, after);
  }

  /** The latest events of all VMs. */
  readLatestEvents(): Promise<ApiResult<Page<AuditEvent>>> {
    return this.#events('/v1/events', FEED_LIMIT, undefined);
  }

  async #events(
    path: string,
    limit: number,
    after: string | undefined,
  ): Promise<ApiResult<Page<AuditEvent>>> {
    const query = `?limit=${limit}${after === undefined ? '' : `&after=${after}`}`;
    const answer = await this.#ask('GET', path + query);
    if (!answer.ok) return answer;
    const { events, next } = answer.value as { events: AuditEvent[]; next: string | null };
    return { ok: true, value: { items: events, next } };
  }

  async readDeliveries(hostname: string): Promise<ApiResult<readonly Delivery[]>> {
    const answer = await this.#ask('GET', `${vmPath(hostname)}/deliveries`);
    if (!answer.ok) return answer;
    return { ok: true, value: (answer.value as { deliveries: Delivery[] }).deliveries };
  }

  changeVm(hostname: string, body: object, version: number): Promise<ApiResult<unknown>> {
    return this.#ask('PATCH', vmPath(hostname), { body, ifMatch: version });
  }

  deleteVm(hostname: string, version: number): Promise<ApiResult<unknown>> {
    return this.#ask('DELETE', vmPath(hostname), { ifMatch: version });
  }

  /** Names exactly this assignment, and so needs no version. */
  releaseAssignment(assignmentId: string): Promise<ApiResult<unknown>> {
    return this.#ask('DELETE', `/v1/assignments/${assignmentId}`);
  }

  async #ask(
    method: string,
    path: string,
    { body, ifMatch }: RequestOptions = {},
  ): Promise<ApiResult<unknown>> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (ifMatch !== undefined) headers['If-Match'] = `"${ifMatch}"`;
    try {
      const response = await fetch(this.base + path, {
        method,
        headers,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (response.ok) return { ok: true, value: text === '' ? undefined : JSON.parse(text) };
      return { ok: false, problem: readProblem(response.status, text) };
    } catch {
      return { ok: false, problem: { code: undefined, detail: '' } };
    }
  }
}

/** A proxy on the way may answer with a page of its own. */
function readProblem(status: number, text: string): Problem {
  const unknown = { code: undefined, detail: `The answer was HTTP ${status}, and no word why.` };
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null) return unknown;
    const { code, detail }: { code?: unknown; detail?: unknown } = body;
    return typeof code === 'string' ? { code, detail: String(detail) } : unknown;
  } catch {
    return unknown;
  }
}
