// What messages say of rows, as far as a benchmark needs it.

import type { Change } from './copy.js';
import { rowOf, sentUsOf } from './rows.js';

export interface Told {
  readonly changes: readonly Change[];
  /** Whether this is, or ends, the state that a socket is told first. */
  readonly complete: boolean;
}

export interface VmJson {
  readonly hostname: string;
  readonly email: string | null;
  readonly version: number;
}

interface MessageJson {
  readonly type: string;
  readonly vm?: VmJson;
  readonly vms?: readonly VmJson[];
  readonly more?: boolean;
  readonly changes?: readonly { readonly vm: VmJson }[];
}

export function changeOf({ hostname, version, email }: VmJson): Change {
  return { row: rowOf(hostname), version, sentUs: sentUsOf(email) };
}

/** The latest messages with what they say: sockets that are sent the same text share the cost of reading it. */
const recent = new Map<string, Told>();
const MAX_RECENT = 256;

export function readMessage(text: string): Told {
  const known = recent.get(text);
  if (known !== undefined) return known;
  const told = read(JSON.parse(text) as MessageJson);
  if (recent.size >= MAX_RECENT) recent.clear();
  recent.set(text, told);
  return told;
}

function read(message: MessageJson): Told {
  switch (message.type) {
    case 'assignment':
    case 'status':
      return { changes: message.vm ? [changeOf(message.vm)] : [], complete: true };
    case 'snapshot':
      return { changes: (message.vms ?? []).map(changeOf), complete: message.more === false };
    case 'changes':
      return { changes: (message.changes ?? []).map(({ vm }) => changeOf(vm)), complete: true };
    default:
      return { changes: [], complete: false };
  }
}
