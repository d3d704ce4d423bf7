// Requests with a method and a body, and their answers as a test compares them.

import type { Role } from '../../src/gateway/auth/roles.js';
import type { TestGateway } from './gateway.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body's JSON; undefined when there is none. */
  readonly json: unknown;
}

/** @param body sent as JSON; none when undefined */
export type Api = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

/** A caller of this gateway with a token of its own. */
export async function createApi(
  { url, token }: Pick<TestGateway, 'url' | 'token'>,
  role: Role = 'admin',
  sub = 'tester',
): Promise<Api> {
  const authorization = `Bearer ${await token(role, sub)}`;
  return async (method, path, body, headers) => {
    const content =
      body === undefined
        ? undefined
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(url + path, {
      method,
      ...content,
      headers: { authorization, ...content?.headers, ...headers },
    });
    const text = await response.text();
    const json: unknown = text === '' || isPage(response) ? undefined : JSON.parse(text);
    return { status: response.status, headers: response.headers, text, json };
  };
}

function isPage({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('text/') ?? false;
}
