// Reads a text frame into a message that the client can rely on, and never throws. An unknown type
// is ignored. A known type with wrong fields is `malformed`, because a state that skips a message
// is no longer right.

import type { ServerMessage } from '../protocol/messages.js';
import { MAX_DELAY_MS } from './runtime.js';

export type ServerFrame =
  | { readonly kind: 'message'; readonly message: ServerMessage }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'malformed' };

type Fields = Readonly<Record<string, unknown>>;

type Check = (message: Fields) => boolean;

/** The fields that the client uses, by type; in a row, the hostname and the status only. */
const CHECKS: Readonly<Record<ServerMessage['type'], Check>> = {
  welcome: ({ heartbeat_ms, live }) => isInterval(heartbeat_ms) && typeof live === 'boolean',
  assignment: ({ vm }) => isVm(vm),
  status: ({ vm }) => isVm(vm),
  absent: ({ hostname }) => typeof hostname === 'string',
  snapshot: ({ vms, presence, more, cursor }) =>
    isArray(vms, isVm) &&
    isArray(presence, isPresence) &&
    (more === true || typeof cursor === 'string'),
  changes: ({ changes, cursor }) => isArray(changes, isChange) && typeof cursor === 'string',
  feed: ({ live }) => typeof live === 'boolean',
  error: ({ code, message }) => typeof code === 'string' && typeof message === 'string',
  pong: () => true,
};
const checkByType = new Map<unknown, Check>(Object.entries(CHECKS));

export function readServerFrame(text: string): ServerFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'malformed' };
  }
  if (!isFields(value) || typeof value.type !== 'string') return { kind: 'malformed' };
  if (!checkByType.has(value.type)) return { kind: 'unknown' };
  return isServerMessage(value) ? { kind: 'message', message: value } : { kind: 'malformed' };
}

function isServerMessage(value: unknown): value is ServerMessage {
  return isFields(value) && (checkByType.get(value.type)?.(value) ?? false);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function isArray(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isItem);
}

function isInterval(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value <= MAX_DELAY_MS;
}

function isVm(value: unknown): boolean {
  return isFields(value) && typeof value.hostname === 'string' && typeof value.status === 'string';
}

function isPresence(value: unknown): boolean {
  return isFields(value) && typeof value.hostname === 'string' && typeof value.online === 'boolean';
}

/** A change with an unknown `op` is accepted and ignored, like a message of an unknown type. */
function isChange(value: unknown): boolean {
  if (!isFields(value)) return false;
  if (value.op === 'upsert') return isVm(value.vm);
  if (value.op === 'presence') return isPresence(value);
  return value.op === 'delete' ? typeof value.hostname === 'string' : typeof value.op === 'string';
}
