// Parses the text frame of a client into a validated message, a rejection or a close code. Never
// throws.

import { Compile } from 'typebox/compile';
import { CLOSE, type CloseCode } from './close-codes.js';
import { Ack, Auth, StatusReport, type ClientMessage, type ErrorCode } from './messages.js';

/**
 * A valid message, a rejection that leaves the socket open, or the code to close the socket with.
 */
export type ClientFrame =
  | { readonly kind: 'message'; readonly message: ClientMessage }
  | { readonly kind: 'rejected'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'close'; readonly close: CloseCode };

const ack = Compile(Ack);
const status = Compile(StatusReport);
const auth = Compile(Auth);

const reject = (code: ErrorCode, message: string): ClientFrame => ({
  kind: 'rejected',
  code,
  message,
});

/**
 * Parses one text frame. Text that is not JSON closes the socket; JSON that is not a message of the
 * protocol is rejected, and the socket stays open. Never throws.
 */
export function parseClientFrame(text: string): ClientFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'close', close: CLOSE.badFrame };
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) {
    return reject('invalid_message', 'a message must be a JSON object with a type');
  }
  switch (value.type) {
    case 'ack':
      return ack.Check(value)
        ? { kind: 'message', message: value }
        : reject('invalid_message', 'ack needs assignment_id, a UUID');
    case 'status':
      return status.Check(value)
        ? { kind: 'message', message: value }
        : reject(
            'invalid_message',
            'status needs status, either failed or available; assignment_id is optional, a UUID',
          );
    case 'auth':
      return auth.Check(value)
        ? { kind: 'message', message: value }
        : reject('invalid_message', 'auth needs token, a string');
    case 'ping':
      return { kind: 'message', message: { type: 'ping' } };
    default:
      return reject('unknown_type', 'the known types are ack, status, auth and ping');
  }
}
