// What the simulated ask of the gateway over HTTP, as anyone would. A gateway that does not answer, or refuses, is part
// of life: they go on, and try again when they would anyway.

import { setTimeout as sleep } from 'node:timers/promises';
import { vmPath } from '../protocol/paths.js';

/** Where the gateway is, as whom to ask, and until when. */
export interface Operator {
  readonly url: string;
  readonly token: () => string;
  readonly signal: AbortSignal;
}

export interface Seat {
  readonly hostname: string;
  readonly assignment_id: string;
}

/** Gives the person a VM; undefined when there is none. */
export async function assign(
  operator: Operator,
  email: string,
  command: string,
): Promise<Seat | undefined> {
  const body = { email, crd_command: command };
  return (await ask(operator, 'POST', '/v1/assignments', body)) as Seat | undefined;
}

/** Ends the assignment, if it is still current. */
export async function release(operator: Operator, assignmentId: string): Promise<void> {
  await ask(operator, 'DELETE', `/v1/assignments/${assignmentId}`);
}

export async function register(operator: Operator, hostname: string): Promise<void> {
  await ask(operator, 'PUT', vmPath(hostname));
}

export async function reportEnd(
  operator: Operator,
  assignmentId: string,
  report: {
    readonly outcome: 'succeeded' | 'failed' | 'stopped';
    readonly exit_code: number | null;
  },
): Promise<void> {
  await ask(operator, 'PUT', `/v1/assignments/${assignmentId}/end`, report);
}

/** Resolves when the time is over, or the end has come: whoever waits looks at the signal then. */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal }).catch(() => undefined);
}

/** The answer's JSON; undefined for a refusal, or no answer. */
async function ask(
  { url, token, signal }: Operator,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  try {
    const content = body && {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    };
    const response = await fetch(url + path, {
      method,
      signal,
      ...content,
      headers: { ...content?.headers, Authorization: `Bearer ${token()}` },
    });
    const text = await response.text();
    return response.ok && text !== '' ? (JSON.parse(text) as unknown) : undefined;
  } catch {
    return undefined;
  }
}
