// From a client's text frame to a checked message, or to the answer it deserves. Never throws.

import { Compile } from 'typebox/compile';
import { CLOSE, type CloseCode } from './close-codes.js';
import { Ack, Auth, StatusReport, type ClientMessage, type ErrorCode } from './messages.js';

/** A message, a refusal that leaves the socket open, or the code to close with. */
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

/** Reads one text frame. Not JSON closes; JSON that is understood and refused does not. */
export function parseClientFrame(text: string): ClientFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'close', close: CLOSE.badFrame };
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) {
    return reject('invalid_message', 'a message is a JSON object with a type');
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
            'status needs status, failed or available, and may have assignment_id, a UUID',
          );
    case 'auth':
      return auth.Check(value)
        ? { kind: 'message', message: value }
        : reject('invalid_message', 'auth needs token, a string');
    case 'ping':
      return { kind: 'message', message: { type: 'ping' } };
    default:
      return reject('unknown_type', 'this gateway takes ack, status, auth and ping');
  }
}
