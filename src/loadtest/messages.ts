// Reads row changes from messages. The messages are not validated: validation would be the largest
// cost of a simulated client, and the client library's tests cover it.

import type { RowChange } from './replica.js';
import { parseRowNumber, parseSentUs } from './rows.js';

export interface RowUpdates {
  readonly changes: readonly RowChange[];
  /** Whether the state that a socket receives first is complete with this message. */
  readonly complete: boolean;
  /** Whether the message is a snapshot, which may repeat known rows. */
  readonly isState: boolean;
  readonly cursor: string | undefined;
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
  readonly changes?: readonly { readonly op: string; readonly vm?: VmJson }[];
  readonly cursor?: string;
}

export function readChange({ hostname, version, email }: VmJson): RowChange {
  return { row: parseRowNumber(hostname), version, sentUs: parseSentUs(email) };
}

/** Creates a reader that parses a message once if many sockets receive it one after the other. */
export function createReader(): (data: Buffer) => RowUpdates {
  let lastData: Buffer = Buffer.alloc(0);
  let lastUpdates = createUpdates([], false);
  return (data) => {
    if (lastData.equals(data)) return lastUpdates;
    lastUpdates = readMessage(data.toString('latin1')); // The rows are ASCII.
    lastData = data;
    return lastUpdates;
  };
}

export function readMessage(text: string): RowUpdates {
  const message = JSON.parse(text) as MessageJson;
  const { type, vm, vms = [], more, changes = [], cursor } = message;
  switch (type) {
    case 'assignment':
    case 'status':
      return createUpdates(vm === undefined ? [] : [vm], true);
    case 'snapshot':
      return { ...createUpdates(vms, more === false), isState: true, cursor };
    case 'changes':
      return {
        ...createUpdates(
          changes.flatMap((change) => change.vm ?? []),
          true,
        ),
        cursor,
      };
    default:
      return createUpdates([], false);
  }
}

function createUpdates(vms: readonly VmJson[], complete: boolean): RowUpdates {
  return { changes: vms.map(readChange), complete, isState: false, cursor: undefined };
}
