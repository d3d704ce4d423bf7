// The HTTP requests of the simulated agents and people. A gateway that does not answer, or rejects
// a request, is not an error: the caller goes on, and tries again later.

import { vmPath } from '../protocol/paths.js';

/** The gateway's URL, the token to use, and a signal that ends the requests. */
export interface ApiAccess {
  readonly url: string;
  readonly token: () => string;
  readonly signal: AbortSignal;
}

/** Access for a simulated agent or person. */
export interface DemoAccess extends ApiAccess {
  /** How many times faster than real people and commands. */
  readonly speed: number;
}

export interface DemoAssignment {
  readonly hostname: string;
  readonly assignment_id: string;
}

/** Assigns a VM to the person. Returns undefined if no VM is free. */
export async function requestVm(
  access: ApiAccess,
  email: string,
  command: string,
): Promise<DemoAssignment | undefined> {
  const body = { email, crd_command: command };
  return (await request(access, 'POST', '/v1/assignments', body)) as DemoAssignment | undefined;
}

/** Releases the VM, if the assignment is still current. */
export async function releaseVm(access: ApiAccess, assignmentId: string): Promise<void> {
  await request(access, 'DELETE', `/v1/assignments/${assignmentId}`);
}

export async function register(access: ApiAccess, hostname: string): Promise<void> {
  await request(access, 'PUT', vmPath(hostname));
}

export async function reportEnd(
  access: ApiAccess,
  assignmentId: string,
  report: {
    readonly outcome: 'succeeded' | 'failed' | 'stopped';
    readonly exit_code: number | null;
  },
): Promise<void> {
  await request(access, 'PUT', `/v1/assignments/${assignmentId}/end`, report);
}

/** Returns the response's JSON; undefined if the request failed or was rejected. */
async function request(
  { url, token, signal }: ApiAccess,
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
