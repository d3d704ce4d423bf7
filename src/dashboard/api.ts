// The HTTP requests of the page. A failure is a value: a problem that is shown to the user.

import { vmPath } from '../protocol/paths.js';
import type { AuditEvent } from './model/history.js';
import type { Delivery } from '../client/index.js';
import type { Problem } from './model/problem-labels.js';

export type ApiResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

export interface Page<T> {
  readonly items: readonly T[];
  /** The `after` parameter of the next page; null at the end. */
  readonly next: string | null;
}

interface RequestOptions {
  readonly body?: object;
  /** Change the row only if it still has this version. */
  readonly ifMatch?: number;
}

/** How long a response may take. */
const TIMEOUT_MS = 15_000;
const HISTORY_LIMIT = 25;
const FEED_LIMIT = 100;

export class Api {
  constructor(
    private readonly base: string,
    private readonly token: string,
  ) {}

  /** Reads the time of the gateway's clock as an HTTP date; null if the gateway does not answer. */
  async readGatewayDate(): Promise<string | null> {
    const response = await fetch(`${this.base}/health/live`).catch(() => undefined);
    return response?.headers.get('date') ?? null;
  }

  /** Reads a page of a VM's audit events, the latest first. */
  readHistory(hostname: string, after: string | undefined): Promise<ApiResult<Page<AuditEvent>>> {
    return this.#events(`${vmPath(hostname)}/events`, HISTORY_LIMIT, after);
  }

  /** Reads a page of the events of all VMs, the latest first. */
  readLatestEvents(after?: string): Promise<ApiResult<Page<AuditEvent>>> {
    return this.#events('/v1/events', FEED_LIMIT, after);
  }

  async #events(
    path: string,
    limit: number,
    after: string | undefined,
  ): Promise<ApiResult<Page<AuditEvent>>> {
    const query = `?limit=${limit}${after === undefined ? '' : `&after=${after}`}`;
    const result = await this.#request('GET', path + query);
    if (!result.ok) return result;
    const { events, next } = result.value as { events: AuditEvent[]; next: string | null };
    return { ok: true, value: { items: events, next } };
  }

  /** Reads the deliveries of a VM's assignments, the latest first. */
  async readDeliveries(hostname: string): Promise<ApiResult<readonly Delivery[]>> {
    const result = await this.#request('GET', `${vmPath(hostname)}/deliveries`);
    if (!result.ok) return result;
    return { ok: true, value: (result.value as { deliveries: Delivery[] }).deliveries };
  }

  /** Changes columns of a VM's row, if the row still has this version. */
  changeVm(hostname: string, body: object, version: number): Promise<ApiResult<unknown>> {
    return this.#request('PATCH', vmPath(hostname), { body, ifMatch: version });
  }

  /** Deletes a VM's row, if the row still has this version. */
  deleteVm(hostname: string, version: number): Promise<ApiResult<unknown>> {
    return this.#request('DELETE', vmPath(hostname), { ifMatch: version });
  }

  /** Releases an assignment. Its id names exactly one assignment, so no version is needed. */
  releaseAssignment(assignmentId: string): Promise<ApiResult<unknown>> {
    return this.#request('DELETE', `/v1/assignments/${assignmentId}`);
  }

  async #request(
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
        body: body === undefined ? null : JSON.stringify(body),
      });
      const text = await response.text();
      if (response.ok) return { ok: true, value: text === '' ? undefined : JSON.parse(text) };
      return { ok: false, problem: readProblem(response.status, text) };
    } catch {
      return { ok: false, problem: { code: undefined, detail: '' } };
    }
  }
}

/** Exchanges the one-time code of a link for a token. */
export async function exchangeCode(base: string, code: string): Promise<ApiResult<string>> {
  try {
    const response = await fetch(`${base}/v1/sign-ins`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      body: JSON.stringify({ code }),
    });
    const text = await response.text();
    if (!response.ok) return { ok: false, problem: readProblem(response.status, text) };
    return { ok: true, value: (JSON.parse(text) as { token: string }).token };
  } catch {
    return { ok: false, problem: { code: undefined, detail: '' } };
  }
}

/** Reads the problem of a response. A proxy may answer with a page that is no problem document. */
function readProblem(status: number, text: string): Problem {
  const unknown = {
    code: undefined,
    detail: `A server between this page and the gateway answered with an error (${status}), so the request may or may not have been carried out.`,
  };
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null) return unknown;
    const { code, detail }: { code?: unknown; detail?: unknown } = body;
    return typeof code === 'string' ? { code, detail: String(detail) } : unknown;
  } catch {
    return unknown;
  }
}
