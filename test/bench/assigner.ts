// The process that asks for VMs, so many at a time: over HTTP, or by the same statements on bare
// connections.

import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import pg from 'pg';
import { signToken } from '../../src/gateway/auth/token.js';
import { assignVm } from '../../src/gateway/database/assignments.js';
import { nowUs } from '../../src/loadtest/clock.js';
import { serve } from '../../src/loadtest/rpc.js';
import { formatStamp } from '../../src/loadtest/rows.js';
import { CREDENTIALS } from './servers.js';

export interface Asking {
  readonly count: number;
  readonly atOnce: number;
}

export interface Asked {
  /** How many were given a VM that was free. */
  readonly given: number;
  readonly tookUs: number;
}

const TOKEN_TTL_SECONDS = 3_600;
const ACTOR = { name: 'admin:bench', requestId: 'bench' };

/**
 * A person of its own for each request: the moment at which it is sent, which the row carries to
 * every receiver.
 */
const person = (n: number): string => formatStamp(nowUs()).replace('@', `-${n}@`);

/** Closed loops, side by side: each asks again as soon as it is answered. */
async function loop(
  { count, atOnce }: Asking,
  ask: (email: string) => Promise<boolean>,
): Promise<Asked> {
  let next = 0;
  let given = 0;
  const one = async (): Promise<void> => {
    while (next < count) if (await ask(person(next++))) given++;
  };
  const fromUs = nowUs();
  await Promise.all(Array.from({ length: atOnce }, one));
  return { given, tookUs: nowUs() - fromUs };
}

const handlers = {
  overHttp: async ({ url, ...asking }: Asking & { readonly url: string }): Promise<Asked> => {
    const agent = new Agent({ keepAlive: true, maxSockets: asking.atOnce });
    const identity = { role: 'admin', sub: 'bench', ttlSeconds: TOKEN_TTL_SECONDS } as const;
    const headers = {
      authorization: `Bearer ${signToken(identity, CREDENTIALS.secret)}`,
      'content-type': 'application/json',
    };
    const asked = await loop(asking, async (email) => {
      const sent = request(`${url}/v1/assignments`, { method: 'POST', agent, headers });
      sent.end(JSON.stringify({ email, crd_command: 'start-host' }));
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      await response.resume().toArray();
      return response.statusCode === 201;
    });
    agent.destroy();
    return asked;
  },

  bare: async ({ database, ...asking }: Asking & { database: pg.ClientConfig }): Promise<Asked> => {
    const pool = new pg.Pool({ ...database, max: asking.atOnce });
    const asked = await loop(asking, async (email) => {
      const { outcome } = await assignVm(pool, ACTOR, { email, crdCommand: 'start-host' });
      return outcome === 'assigned';
    });
    await pool.end();
    return asked;
  },
};
export type AssignerHandlers = typeof handlers;

serve(handlers);
