// Answers connections whose request cannot be routed, because it is too slow, too large, or not
// HTTP.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { LoggedResponse } from './response-log.js';
import { PROBLEM_TYPE, PROBLEMS, formatProblem, type ProblemCode } from './problem.js';

/** The problem code by Node's error code. */
const CODES: Readonly<Record<string, ProblemCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
};

/**
 * Sends the problem, and closes the connection even if the client does not read it.
 * @param id the request id of the response
 * @returns the response; undefined if the client is gone
 */
export function sendClientError(
  error: Error & { readonly code?: string },
  socket: Socket,
  id: string,
): LoggedResponse | undefined {
  const isThere = socket.writable && error.code !== 'ECONNRESET';
  const problem = CODES[error.code ?? ''] ?? 'invalid_request';
  const { status } = PROBLEMS[problem];
  if (isThere) socket.write(formatResponse(problem, id));
  // Without an error argument, because a client that disconnects is not worth a log line.
  socket.destroy();
  return isThere ? { at: 'http', route: 'none', status, problem } : undefined;
}

function formatResponse(code: ProblemCode, id: string): string {
  const { status, when } = PROBLEMS[code];
  const body = formatProblem(code, when);
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
    `X-Request-Id: ${id}\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`
  );
}
