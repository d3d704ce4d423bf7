// What is answered to a connection that sends no request that could be routed: too slowly, too much, or no HTTP.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { LoggedResponse } from './response-log.js';
import { PROBLEM_TYPE, PROBLEMS, formatProblem, type ProblemCode } from './problem.js';

/** By Node's code of the error. */
const CODES: Readonly<Record<string, ProblemCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
};

/**
 * Answers, and ends the connection whether or not the answer is read.
 * @param id of the request that there might have been.
 * @returns what was answered; undefined when there is nobody to answer.
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
  // No error is handed over: a peer that breaks off is nobody's news.
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
