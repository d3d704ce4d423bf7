// Requests the same URL over HTTP and as an upgrade, to compare the answers.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { TestGateway } from '../../helpers/gateway.js';

export interface Answer {
  /** 101 if the upgrade succeeded. */
  readonly status: number;
  /** The code of the problem; undefined if the answer is no problem. */
  readonly code: string | undefined;
  readonly headers: Headers;
}

export type Ask = (path: string, headers: Record<string, string>) => Promise<Answer>;

/** Both ways to send a request to this gateway. */
export function waysToAsk({ url }: TestGateway): { overHttp: Ask; byUpgrade: Ask } {
  return {
    overHttp: async (path, headers) => {
      const response = await fetch(url + path, { headers });
      return parseAnswer(response.status, response.headers, await response.text());
    },
    byUpgrade: async (path, headers) => {
      const ws = new WebSocket(url.replace('http', 'ws') + path, { headers });
      const refused = await waitForRejection(ws);
      const text = refused === undefined ? '' : await readBody(refused);
      ws.terminate();
      if (refused === undefined) return { status: 101, code: undefined, headers: new Headers() };
      const pairs = Object.entries(refused.headers).map(([name, value]) => [name, String(value)]);
      return parseAnswer(refused.statusCode ?? 0, new Headers(pairs), text);
    },
  };
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

function parseAnswer(status: number, headers: Headers, text: string): Answer {
  if (status < 400) return { status, code: undefined, headers };
  const type = headers.get('content-type') ?? '';
  if (!/^application\/problem\+json\b/.test(type)) throw new Error(`${status} as ${type}`);
  const problem = JSON.parse(text) as { code: string; status: number };
  if (problem.status !== status) throw new Error(`${status} says it is ${problem.status}`);
  return { status, code: problem.code, headers };
}

/** Resolves with the response that rejected the upgrade; undefined if the socket opened. */
async function waitForRejection(ws: WebSocket): Promise<IncomingMessage | undefined> {
  ws.on('error', () => undefined);
  const refused = once(ws, 'unexpected-response').then(
    ([, response]) => response as IncomingMessage,
  );
  refused.catch(() => undefined);
  const opened = once(ws, 'open').then(() => undefined);
  opened.catch(() => undefined);
  return Promise.race([opened, refused]);
}

async function readBody(response: IncomingMessage): Promise<string> {
  return Buffer.concat((await response.toArray()) as Buffer[]).toString();
}
