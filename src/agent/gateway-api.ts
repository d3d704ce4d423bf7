// The agent's requests over HTTP: the registration of its VM, and the report of how an assignment
// ended. Each request is repeated with backoff until the gateway answers it.

import { parseAddress } from '../client/address.js';
import { describeNetworkError } from '../client/network-error.js';
import { reconnectDelayMs } from '../client/reconnect-policy.js';
import { vmPath } from '../protocol/paths.js';
import type { JournalEntry } from './journal.js';

/** The time limit for one response. */
const TIMEOUT_MS = 15_000;

/** A response; `body` is its JSON object, or null if it has none. */
export interface ApiResponse {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>> | null;
}

export type SendRequest = (
  method: string,
  path: string,
  token: string,
  body?: object,
) => Promise<ApiResponse>;

/**
 * @param signal aborts the requests.
 * @throws TypeError if `url` is not the URL of a gateway.
 */
export function createSendRequest(url: string, signal: AbortSignal): SendRequest {
  const { http } = parseAddress(url);
  return async (method, path, token, body) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'user-agent': 'lablink-gateway-agent',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const response = await fetch(http + path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    }).catch((cause: unknown) => {
      throw new Error(describeNetworkError(cause), { cause });
    });
    return { status: response.status, body: asFields(await response.json().catch(() => null)) };
  };
}

function asFields(value: unknown): ApiResponse['body'] {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
}

/** Describes a response that is not a success, for people. */
export function explainResponse({ status, body }: ApiResponse): string {
  return body === null
    ? `HTTP ${status}`
    : `HTTP ${status} ${String(body.code)}: ${String(body.detail)}`;
}

export interface GatewayApi {
  readonly register: (hostname: string) => Promise<void>;
  readonly report: (entry: JournalEntry) => Promise<void>;
}

/**
 * @param token returns the token for the next request.
 * @param wait resolves after so many milliseconds; rejects when the agent exits.
 */
export function createGatewayApi(
  sendRequest: SendRequest,
  token: () => Promise<string>,
  log: (text: string) => void,
  wait: (ms: number) => Promise<void>,
): GatewayApi {
  const sendUntilAnswered = async (what: string, method: string, path: string, body?: object) => {
    for (let failures = 0; ; failures++) {
      const result = await attempt(async () => sendRequest(method, path, await token(), body));
      if (typeof result !== 'string') {
        if (result.status < 300) return;
        if (isFinal(result)) {
          log(`${what} was rejected: ${explainResponse(result)}`);
          return;
        }
      }
      const pauseMs = reconnectDelayMs('soon', failures, Math.random());
      const reason = typeof result === 'string' ? result : explainResponse(result);
      log(`${what}: trying again in ${Math.ceil(pauseMs / 1000)} s: ${reason}`);
      await wait(pauseMs);
    }
  };
  return {
    register: (hostname) => sendUntilAnswered('the registration', 'PUT', vmPath(hostname)),
    report: ({ assignment_id: id, end }) =>
      sendUntilAnswered(`the report of ${id}`, 'PUT', `/v1/assignments/${id}/end`, {
        outcome: end?.outcome,
        exit_code: end?.exit_code,
        signal: end?.signal,
      }),
  };
}

/** Whether the gateway itself, not a proxy, rejects the request, and would reject it again. */
function isFinal({ status, body }: ApiResponse): boolean {
  const isFromGateway = typeof body?.code === 'string' && body.code !== 'not_found';
  return isFromGateway && status < 500 && ![401, 408, 429].includes(status);
}

async function attempt(work: () => Promise<ApiResponse>): Promise<ApiResponse | string> {
  try {
    return await work();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
