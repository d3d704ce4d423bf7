// What the agent asks of the gateway over HTTP: to know the VM, and to hear how an assignment ended. It asks until it is
// answered, at longer and longer intervals.

import { parseAddress } from '../client/address.js';
import { reconnectDelayMs } from '../client/reconnect-policy.js';
import { vmPath } from '../protocol/paths.js';
import type { Entry } from './journal.js';

/** How long an answer may take. */
const TIMEOUT_MS = 15_000;

/** An answer; `body` is its JSON, or null. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>> | null;
}

export type Ask = (method: string, path: string, token: string, body?: object) => Promise<Answer>;

/**
 * @param signal ends what is being asked.
 * @throws TypeError when it is not the URL of a gateway.
 */
export function createAsk(url: string, signal: AbortSignal): Ask {
  const { http } = parseAddress(url);
  return async (method, path, token, body) => {
    const response = await fetch(http + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'user-agent': 'lablink-gateway-agent',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    return { status: response.status, body: asFields(await response.json().catch(() => null)) };
  };
}

function asFields(value: unknown): Answer['body'] {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
}

/** What went wrong, for people. */
export function reasonOf({ status, body }: Answer): string {
  return body === null
    ? `HTTP ${status}`
    : `HTTP ${status} ${String(body.code)}: ${String(body.detail)}`;
}

export interface GatewayApi {
  readonly register: (hostname: string) => Promise<void>;
  readonly report: (entry: Entry) => Promise<void>;
}

/**
 * @param token gives the one to ask with now.
 * @param wait resolves after so many milliseconds; rejects when nothing is to be asked any more.
 */
export function createGatewayApi(
  ask: Ask,
  token: () => Promise<string>,
  log: (text: string) => void,
  wait: (ms: number) => Promise<void>,
): GatewayApi {
  const untilAnswered = async (what: string, method: string, path: string, body?: object) => {
    for (let failures = 0; ; failures++) {
      const answer = await attempt(async () => ask(method, path, await token(), body));
      if (typeof answer !== 'string') {
        if (answer.status < 300) return;
        if (isFinal(answer)) {
          log(`${what} was refused: ${reasonOf(answer)}`);
          return;
        }
      }
      const pause = reconnectDelayMs('soon', failures, Math.random());
      const reason = typeof answer === 'string' ? answer : reasonOf(answer);
      log(`${what}: trying again in ${Math.ceil(pause / 1000)} s: ${reason}`);
      await wait(pause);
    }
  };
  return {
    register: (hostname) => untilAnswered('the registration', 'PUT', vmPath(hostname)),
    report: ({ assignment_id: id, end }) =>
      untilAnswered(`the report of ${id}`, 'PUT', `/v1/assignments/${id}/end`, {
        outcome: end?.outcome,
        exit_code: end?.exit_code,
        signal: end?.signal,
      }),
  };
}

/** Whether the gateway itself says no, and will say so again. */
function isFinal({ status, body }: Answer): boolean {
  const isOwnWord = typeof body?.code === 'string' && body.code !== 'not_found';
  return isOwnWord && status < 500 && ![401, 408, 429].includes(status);
}

async function attempt(work: () => Promise<Answer>): Promise<Answer | string> {
  try {
    return await work();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
