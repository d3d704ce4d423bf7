// The table of limits: each rejection, with the figures of the code that makes it.

import { OTHER_FILES, HTTP_SHARE } from '../../src/gateway/http/limits/capacity.js';
import { PROBLEMS } from '../../src/gateway/http/problems/problem.js';
import {
  HEADERS_TIMEOUT_MS,
  MAX_BODY_BYTES,
  REQUEST_TIMEOUT_MS,
} from '../../src/gateway/http/server.js';
import { WEBSOCKET_OPTIONS } from '../../src/gateway/http/websocket/websocket.js';
import { REJECTION_REASONS, type RejectionReason } from '../../src/gateway/session/limits.js';
import { MAX_PENDING_REQUESTS } from '../../src/gateway/session/session.js';
import { MAX_TOTAL_UNSENT_BYTES } from '../../src/gateway/session/sessions.js';
import {
  BYTES_PER_MESSAGE,
  MESSAGE_BURST,
  MESSAGES_PER_SECOND,
} from '../../src/gateway/session/token-bucket.js';
import { CLOSE } from '../../src/protocol/close-codes.js';
import { code, table } from './table.js';

interface Limit {
  readonly what: string;
  readonly limit: string;
  /** Undefined if a problem is the answer: its status stands with its code. */
  readonly answer?: string;
}

const kib = (bytes: number): string => `${bytes / 1024} KiB`;
const seconds = (ms: number): string => `${ms / 1000} s`;

const LIMITS: Readonly<Record<RejectionReason, Limit>> = {
  too_many_messages: {
    what: "a socket's messages, Pings and Pongs",
    limit: `${MESSAGES_PER_SECOND} a second, ${MESSAGE_BURST} at once; each ${kib(BYTES_PER_MESSAGE)} counts as one more`,
    answer: `close ${CLOSE.tooMany.code}`,
  },
  too_many_requests: {
    what: "a socket's unanswered requests, and a connection's requests that wait",
    limit: `${MAX_PENDING_REQUESTS}`,
    answer: `close ${CLOSE.tooMany.code}, or 429 and the end of the connection`,
  },
  message_too_large: {
    what: 'a message',
    limit: `${kib(WEBSOCKET_OPTIONS.maxPayload)}, in ${WEBSOCKET_OPTIONS.maxFragments} parts`,
    answer: `close ${CLOSE.tooLarge.code}, or 1008`,
  },
  overloaded: {
    what: 'unsent bytes of all sockets',
    limit: `${MAX_TOTAL_UNSENT_BYTES / 1024 ** 2} MiB; the sockets that hold most go first`,
    answer: `close ${CLOSE.overloaded.code}`,
  },
  too_many_sockets: {
    what: 'sockets and waits in all',
    limit: `\`MAX_SOCKETS\`, and open files − ${OTHER_FILES} − ${HTTP_SHARE * 100} %`,
  },
  too_many_sockets_of_address: {
    what: 'sockets and waits of one address',
    limit: '`MAX_SOCKETS_PER_ADDRESS`',
  },
  too_many_sockets_of_identity: {
    what: 'sockets and waits of one role and `sub`',
    limit: '`MAX_SOCKETS_PER_IDENTITY`',
  },
  too_many_connections: {
    what: 'connections in all',
    limit: `open files − ${OTHER_FILES}`,
    answer: 'closes the connection that has gone longest without a request',
  },
  request_timeout: {
    what: 'a request',
    limit: `headers within ${seconds(HEADERS_TIMEOUT_MS)}, all of it within ${seconds(REQUEST_TIMEOUT_MS)}`,
  },
  headers_too_large: { what: "a request's headers", limit: '16 KiB' },
  body_too_large: { what: "a request's body", limit: kib(MAX_BODY_BYTES) },
  rate_limited: { what: 'requests of one role and `sub`', limit: '`REQUESTS_PER_MINUTE`' },
  draining: { what: 'requests during a drain', limit: 'see Drain' },
};

export function limits(): string {
  return table(
    ['what', 'limit', 'answer', 'counted as'],
    REJECTION_REASONS.map((reason) => {
      const { what, limit, answer } = LIMITS[reason];
      return [what, limit, answer ?? problemStatus(reason), code(reason)];
    }),
  );
}

function problemStatus(reason: RejectionReason): string {
  const problem = Object.entries(PROBLEMS).find(([name]) => name === reason);
  if (problem === undefined)
    throw new Error(`${reason} is answered in a way that is not described`);
  return String(problem[1].status);
}
