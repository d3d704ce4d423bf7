// What messages say of rows, as far as a load test needs it: not checked against the protocol, which costs clients more
// than all else, and is done by the client library's own tests.

import type { Change } from './replica.js';
import { rowOf, sentUsOf } from './rows.js';

export interface Told {
  readonly changes: readonly Change[];
  /** Whether this is, or ends, the state that a socket is told first. */
  readonly complete: boolean;
  /** Whether all of it is state, however long the socket has been open. */
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

export function changeOf({ hostname, version, email }: VmJson): Change {
  return { row: rowOf(hostname), version, sentUs: sentUsOf(email) };
}

/** Makes a reader that reads what many sockets are sent alike, one after the other, once. */
export function createReader(): (data: Buffer) => Told {
  let lastData: Buffer = Buffer.alloc(0);
  let lastTold = told([], false);
  return (data) => {
    if (lastData.equals(data)) return lastTold;
    lastTold = readMessage(data.toString('latin1')); // The rows are ASCII.
    lastData = data;
    return lastTold;
  };
}

export function readMessage(text: string): Told {
  const message = JSON.parse(text) as MessageJson;
  const { type, vm, vms = [], more, changes = [], cursor } = message;
  switch (type) {
    case 'assignment':
    case 'status':
      return told(vm === undefined ? [] : [vm], true);
    case 'snapshot':
      return { ...told(vms, more === false), isState: true, cursor };
    case 'changes':
      return {
        ...told(
          changes.flatMap((change) => change.vm ?? []),
          true,
        ),
        cursor,
      };
    default:
      return told([], false);
  }
}

function told(vms: readonly VmJson[], complete: boolean): Told {
  return { changes: vms.map(changeOf), complete, isState: false, cursor: undefined };
}
