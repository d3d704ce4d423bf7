// From a text frame to a message that the client may rely on. Never throws: what nobody here knows is passed over,
// and what is known but broken is told apart, because state that skips a message is no longer right.

import type { ServerMessage } from '../protocol/messages.js';
import { MAX_DELAY_MS } from './runtime.js';

export type ServerFrame =
  | { readonly kind: 'message'; readonly message: ServerMessage }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'malformed' };

type Fields = Readonly<Record<string, unknown>>;

type Check = (message: Fields) => boolean;

/** By type, the fields the client uses; of a row only what it is known by. */
const CHECKS: Readonly<Record<ServerMessage['type'], Check>> = {
  welcome: ({ heartbeat_ms, live }) => isInterval(heartbeat_ms) && typeof live === 'boolean',
  assignment: ({ vm }) => isVm(vm),
  status: ({ vm }) => isVm(vm),
  absent: ({ hostname }) => typeof hostname === 'string',
  snapshot: ({ vms, presence, more, cursor }) =>
    isListOf(vms, isVm) &&
    isListOf(presence, isPresence) &&
    (more === true || typeof cursor === 'string'),
  changes: ({ changes, cursor }) => isListOf(changes, isChange) && typeof cursor === 'string',
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

function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isItem);
}

function isInterval(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value <= MAX_DELAY_MS;
}

function isVm(value: unknown): boolean {
  return isFields(value) && typeof value.hostname === 'string' && typeof value.status === 'string';
}

/** Of presence only what it is known by. */
function isPresence(value: unknown): boolean {
  return isFields(value) && typeof value.hostname === 'string' && typeof value.online === 'boolean';
}

/** A change of a kind nobody knows is passed over like a message of a type nobody knows. */
function isChange(value: unknown): boolean {
  if (!isFields(value)) return false;
  if (value.op === 'upsert') return isVm(value.vm);
  if (value.op === 'presence') return isPresence(value);
  return value.op === 'delete' ? typeof value.hostname === 'string' : typeof value.op === 'string';
}
