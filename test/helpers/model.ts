// The state that a client knows: the messages of one socket, folded by the protocol's rules,
// and compared with the table. A message that breaks the protocol throws.

import { isDeepStrictEqual } from 'node:util';
import { DASHBOARD_COLUMNS } from '../../src/protocol/row.js';
import type { TestDatabase } from './database.js';
import type { Message, RawClient } from './raw-client.js';
import { until } from './until.js';

export type Vm = Record<string, unknown>;

/** The part of presence that is kept here; all of it is in helpers/presence.ts. */
interface Known {
  readonly hostname: string;
  readonly online: boolean;
}

/** The table as PostgreSQL prints it, cut down to the given columns. */
export async function readTable(
  database: Pick<TestDatabase, 'query'>,
  columns?: readonly string[],
): Promise<Map<string, Vm>> {
  const rows = await database.query<{ vm: Vm }>('SELECT row_to_json(v) AS vm FROM vms v');
  return new Map(rows.map(({ vm }) => [String(vm.hostname), pick(vm, columns)]));
}

function pick(vm: Vm, columns: readonly string[] = Object.keys(vm)): Vm {
  return Object.fromEntries(
    columns.filter((column) => column in vm).map((column) => [column, vm[column]]),
  );
}

/** The messages of a client, by any transport. */
interface MessageLog {
  readonly messages: readonly Message[];
}

/** Folds the messages of a client that watches all VMs. */
export class FleetModel<C extends MessageLog = RawClient> {
  rows = new Map<string, Vm>();
  /** Whether an agent of the hostname is online, for hostnames with a known presence. */
  online = new Map<string, boolean>();
  /** Where the client would resume. */
  cursor: string | undefined;
  live: boolean | undefined;
  snapshots = 0;
  #folded = 0;
  #snapshotUnderWay = false;

  /** @param columns what of a row this client may see. */
  private constructor(
    readonly client: C,
    private readonly columns: readonly string[] | undefined,
    previous?: FleetModel<MessageLog>,
  ) {
    if (previous === undefined) return;
    this.rows = new Map(previous.rows);
    this.online = new Map(previous.online);
  }

  static ofAdmin<C extends MessageLog>(
    client: C,
    previous?: FleetModel<MessageLog>,
  ): FleetModel<C> {
    return new FleetModel(client, undefined, previous);
  }

  static ofDashboard<C extends MessageLog>(
    client: C,
    previous?: FleetModel<MessageLog>,
  ): FleetModel<C> {
    return new FleetModel(client, DASHBOARD_COLUMNS, previous);
  }

  /** Takes what has come since the last call. */
  fold(): this {
    for (const message of this.client.messages.slice(this.#folded)) {
      this.#folded++;
      this.#take(message);
    }
    return this;
  }

  /** Resolves when the client knows exactly what the table holds, and that the feed is live. */
  async untilTable(database: Pick<TestDatabase, 'query'>): Promise<void> {
    await until('a client of all VMs knows the table', async () => {
      const table = await readTable(database);
      return this.fold().knows(table);
    });
  }

  /** Whether the client knows exactly this, and that the feed is live. */
  knows(table: ReadonlyMap<string, Vm>): boolean {
    if (this.live !== true || this.#snapshotUnderWay || this.rows.size !== table.size) return false;
    for (const [hostname, vm] of table) {
      if (!isDeepStrictEqual(this.rows.get(hostname), pick(vm, this.columns))) return false;
    }
    return true;
  }

  #take(message: Message): void {
    switch (message.type) {
      case 'welcome':
      case 'feed':
        this.live = message.live === true;
        return;
      case 'snapshot':
        this.#takeSnapshot(message);
        return;
      case 'changes':
        this.#takeChanges(message);
        return;
      case 'error':
      case 'pong':
        return;
      default:
        throw new Error(`a client of all VMs got ${JSON.stringify(message)}`);
    }
  }

  #takeSnapshot(message: Message): void {
    if (!this.#snapshotUnderWay) {
      this.rows.clear();
      this.online.clear();
      this.snapshots++;
    }
    for (const known of message.presence as Known[]) this.online.set(known.hostname, known.online);
    for (const vm of message.vms as Vm[]) this.#upsert(vm);
    this.#snapshotUnderWay = message.more === true;
    if (this.#snapshotUnderWay === 'cursor' in message) throw new Error('cursor: on the last part');
    if (!this.#snapshotUnderWay) this.cursor = String(message.cursor);
  }

  #takeChanges(message: Message): void {
    if (this.#snapshotUnderWay) throw new Error('changes within a snapshot');
    const seen = new Set<string>();
    for (const change of message.changes as ({ op: string; vm?: Vm } & Partial<Known>)[]) {
      if (change.op === 'presence') {
        this.online.set(String(change.hostname), change.online === true);
        continue;
      }
      const hostname = change.hostname ?? String(change.vm?.hostname);
      if (seen.has(hostname)) throw new Error(`${hostname} twice in one frame`);
      seen.add(hostname);
      if (change.op === 'upsert' && change.vm !== undefined) this.#upsert(change.vm);
      else if (change.op === 'delete') this.rows.delete(hostname);
      else throw new Error(`a change ${JSON.stringify(change)}`);
    }
    this.cursor = String(message.cursor);
  }

  #upsert(vm: Vm): void {
    if (this.columns !== undefined && 'crd_command' in vm) throw new Error('a secret was shown');
    this.rows.set(String(vm.hostname), vm);
  }
}

/** Folds the messages of a socket that watches one VM. */
export class VmModel {
  /** The row, null when there is none, undefined before the first message. */
  vm: Vm | null | undefined;
  live: boolean | undefined;
  #folded = 0;

  constructor(
    readonly client: RawClient,
    readonly hostname: string,
  ) {}

  fold(): this {
    for (const message of this.client.messages.slice(this.#folded)) {
      this.#folded++;
      this.#take(message);
    }
    return this;
  }

  /**
   * Resolves when the client knows exactly what the table holds of its VM, and that the feed is
   * live.
   */
  async untilTable(database: Pick<TestDatabase, 'query'>): Promise<void> {
    await until(`the client of ${this.hostname} knows its row`, async () => {
      const table = await readTable(database);
      return this.fold().knows(table);
    });
  }

  /** Whether the client knows exactly what this table says of its VM, and that the feed is live. */
  knows(table: ReadonlyMap<string, Vm>): boolean {
    return this.live === true && isDeepStrictEqual(this.vm, table.get(this.hostname) ?? null);
  }

  #take(message: Message): void {
    switch (message.type) {
      case 'welcome':
      case 'feed':
        this.live = message.live === true;
        return;
      case 'assignment':
      case 'status':
        this.vm = message.vm as Vm;
        if ((message.type === 'assignment') !== (this.vm.status === 'in-use')) {
          throw new Error(`${message.type} of a VM that is ${String(this.vm.status)}`);
        }
        this.#expectOwn(this.vm.hostname);
        return;
      case 'absent':
        this.vm = null;
        this.#expectOwn(message.hostname);
        return;
      case 'error':
      case 'pong':
        return;
      default:
        throw new Error(`a client of one VM got ${JSON.stringify(message)}`);
    }
  }

  #expectOwn(hostname: unknown): void {
    if (hostname !== this.hostname) throw new Error(`${this.hostname} was told of another`);
  }
}
