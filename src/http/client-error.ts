// What is answered to a connection that sends no request that could be routed: too slowly, too much, or no HTTP.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { problemText } from './problem.js';

/** By Node's code of the error: the status, the problem's code and its words. */
const ANSWERS: Readonly<Record<string, readonly [number, string, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'request_timeout', 'The request did not arrive in time.'],
  HPE_HEADER_OVERFLOW: [431, 'headers_too_large', 'The headers are too large.'],
};
const MALFORMED = [400, 'invalid_request', 'This is not HTTP.'] as const;

/** Answers, and ends the connection whether or not the answer is read. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (socket.writable && error.code !== 'ECONNRESET') {
    const [status, code, detail] = ANSWERS[error.code ?? ''] ?? MALFORMED;
    const body = problemText(status, code, detail);
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nContent-Type: application/problem+json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
  // No error is handed over: a peer that breaks off is nobody's news.
  socket.destroy();
}
