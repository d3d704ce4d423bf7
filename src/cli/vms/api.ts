// Requests of commands to the HTTP API of a gateway. A busy gateway is asked again as soon as it
// permits; every other failure becomes an error with a sentence for people.

import { setTimeout as sleep } from 'node:timers/promises';
import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { parseAddress } from '../../client/address.js';
import { describeNetworkError } from '../../client/network-error.js';
import { UsageError } from '../exit.js';
import type { FoundGateway } from '../find-gateway.js';
import { printInfo } from '../print.js';
import { RefusedError, UnreachableGatewayError } from './errors.js';

/** A gateway that needs longer for one answer does not answer. */
const TIMEOUT_MS = 15_000;
/** How often a busy gateway is asked again. */
const MAX_REPEATS = 5;
const MAX_PAUSE_S = 60;

const Problem = Type.Object({ code: Type.String(), detail: Type.String() });

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiAnswer<T> {
  readonly body: T;
  readonly headers: Headers;
}

/** The HTTP API of one gateway, with a token. */
export interface ApiConnection {
  readonly url: string;
  /**
   * @param schema what the body of the answer must be
   * @throws RefusedError, UnreachableGatewayError
   */
  request<T extends TSchema>(schema: T, request: ApiRequest): Promise<ApiAnswer<Static<T>>>;
}

/** @throws UsageError if the URL is not that of a gateway, or there is no token */
export async function openApi(gateway: FoundGateway): Promise<ApiConnection> {
  const url = parseUrl(gateway.url);
  const token = await gateway.token();
  return {
    url,
    async request(schema, request) {
      const response = await send(url, token, request);
      const body: unknown = await response.json().catch(() => undefined);
      if (!response.ok) throw explainRefusal(url, response.status, body);
      if (!Value.Check(schema, body)) throw notGateway(url, response.status);
      return { body, headers: response.headers };
    },
  };
}

/** Formats a path and its query; parameters without a value are left out. */
export function formatQuery(
  path: string,
  query: Readonly<Record<string, string | number | undefined>>,
): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
}

function parseUrl(url: string): string {
  try {
    return parseAddress(url).http;
  } catch (cause) {
    throw new UsageError(
      `${url} is not the URL of a gateway: expected one like https://gateway.example.org.`,
      { cause },
    );
  }
}

async function send(url: string, token: string, request: ApiRequest): Promise<Response> {
  for (let repeats = 0; ; repeats++) {
    const response = await sendOnce(url, token, request);
    const pauseS = readPause(response, request);
    if (pauseS === undefined || repeats === MAX_REPEATS) return response;
    await response.body?.cancel();
    printInfo(`The gateway is busy (HTTP ${response.status}): trying again in ${pauseS} s.`);
    await sleep(pauseS * 1_000);
  }
}

async function sendOnce(url: string, token: string, request: ApiRequest): Promise<Response> {
  const { method = 'GET', path, body, headers } = request;
  try {
    return await fetch(url + path, {
      method,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${token}`,
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    if (cause instanceof TypeError && /header|ByteString/i.test(cause.message))
      throw new UsageError('The token has characters that no token has: is it the right file?', {
        cause,
      });
    throw new UnreachableGatewayError(
      `${url}: ${describeNetworkError(cause)}. Start a gateway with "serve", or name another with --url.`,
      { cause },
    );
  }
}

/**
 * Reads after how many seconds the request may be sent again; undefined if it may not. A change
 * that was answered with 503 may have been made, and `PATCH` is not safe to repeat.
 */
function readPause({ status, headers }: Response, { method }: ApiRequest): number | undefined {
  if (status !== 429 && (status !== 503 || method === 'PATCH')) return undefined;
  const text = headers.get('retry-after') ?? '';
  return /^\d{1,4}$/.test(text) ? Math.min(Math.max(Number(text), 1), MAX_PAUSE_S) : undefined;
}

/** Sentences for people instead of those for programs, which name fields of the request. */
const HINTS: Readonly<Record<string, string>> = {
  vm_not_found: 'There is no VM of this hostname; "vms" lists them.',
  no_vm_available: 'No VM is available: "vms" lists who has one; "release" makes one available.',
  assigned_to_another: 'Another person has this VM; --reassign takes it from them.',
};

function explainRefusal(url: string, status: number, body: unknown): RefusedError {
  if (!Value.Check(Problem, body)) return notGateway(url, status);
  const { code, detail } = body;
  if (status === 401)
    return new RefusedError(
      `The gateway ${url} refuses the token (${code}): ${detail} ` +
        'Sign another with "token --role admin" where its DATA_DIR or JWT_SECRET is, and give it with --token-file.',
      code,
    );
  if (code === 'not_allowed')
    return new RefusedError(
      `The token may not do this (${code}): ${detail} Give the token of an admin with --token-file.`,
      code,
    );
  return new RefusedError(`The gateway refuses (${code}): ${HINTS[code] ?? detail}`, code);
}

const notGateway = (url: string, status: number): RefusedError =>
  new RefusedError(
    `${url} answers like no gateway of this version (HTTP ${status}): check the URL.`,
    undefined,
  );
