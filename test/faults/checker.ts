// Clients that watch a gateway through faults: an admin, a dashboard and agents, who come back
// whenever they lose their socket, and the judgement of what they were shown.

import { isDeepStrictEqual } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Role } from '../../src/gateway/auth/roles.js';
import type { TestDatabase, Teardown } from '../helpers/database.js';
import { readTable } from '../helpers/model.js';
import type { RawClient } from '../helpers/raw-client.js';
import { until } from '../helpers/until.js';
import { findViolations, type AuditEvent, type Violation } from './violations.js';
import { Witness, type Watcher } from './witness.js';

/** A gateway in this process or in another one. */
interface Gateway {
  readonly connect: (path: string, role: Role, sub?: string) => Promise<RawClient>;
}
type Queries = Pick<TestDatabase, 'query'>;

/** Not sooner: a gateway that starts needs the processor itself. */
const RETRY_MS = 200;

/** Begins to watch; resolves when everyone has a socket. */
export async function watch(
  t: Teardown,
  gateway: Gateway,
  hostnames: readonly string[],
): Promise<Checker> {
  const watchers: Watcher[] = [
    'admin',
    'dashboard',
    ...hostnames.map((hostname) => ({ hostname })),
  ];
  const checker = new Checker(gateway, watchers);
  t.teardown(() => checker.stop());
  await checker.start();
  return checker;
}

export class Checker {
  readonly #witnesses: readonly Witness[];
  readonly #clients = new Map<Witness, RawClient>();
  /** The audit that the database held before it lost it. */
  #remembered: AuditEvent[] = [];
  #sockets = 0;
  readonly #stopped = new AbortController();

  constructor(
    private readonly gateway: Gateway,
    watchers: readonly Watcher[],
  ) {
    this.#witnesses = watchers.map((watcher) => new Witness(watcher));
  }

  /** How many sockets were needed so far: one a client, where none was lost. */
  get sockets(): number {
    return this.#sockets;
  }

  async start(): Promise<void> {
    await Promise.all(this.#witnesses.map((witness) => this.#open(witness)));
  }

  stop(): void {
    this.#stopped.abort();
    for (const { ws } of this.#clients.values()) ws.terminate();
  }

  /** The sockets there are now. */
  get clients(): readonly RawClient[] {
    return [...this.#clients.values()];
  }

  /** Resolves when every client knows the table, and that the feed is live. */
  async settled(database: Queries, patienceMs?: number): Promise<void> {
    const settled = async (): Promise<boolean> => {
      const table = await readTable(database);
      return this.#witnesses.every((witness) => witness.fold().knows(table));
    };
    await until('every client knows the table', settled, patienceMs);
  }

  /** Takes what has come, and lets go of the messages: a long run would keep millions. */
  forgetMessages(): void {
    for (const witness of this.#witnesses) witness.forgetMessages();
  }

  /** Resolves when every dashboard knows exactly these hostnames' agents to be online. */
  async knowOnline(hostnames: ReadonlySet<string>): Promise<void> {
    await until('every dashboard knows which agents are online', () =>
      this.#witnesses.every((witness) => {
        const { online } = witness.fold();
        return online === undefined || isDeepStrictEqual(online, hostnames);
      }),
    );
  }

  /**
   * Every violation until now. Waits for clients that do not know the table yet: pushes under way
   * may lead through older states, after every client had settled by chance.
   */
  async violations(database: Queries): Promise<Violation[]> {
    let found: Violation[] = [];
    await until('nobody diverges', async () => {
      const audit = [...this.#remembered, ...(await readAudit(database))];
      found = findViolations(this.#witnesses, await readTable(database), audit);
      return found.every(({ kind }) => kind !== 'diverged');
    }).catch(() => undefined);
    return found;
  }

  /** To be called before the database goes back: what is known now was true. */
  async remember(database: Queries): Promise<void> {
    this.#remembered = await readAudit(database);
  }

  /**
   * To be called when all has settled after the database went back: what fell meanwhile fell with
   * it.
   */
  forgive(): void {
    for (const witness of this.#witnesses) witness.forgive();
  }

  /**
   * To be called when all has settled: what is shown from now on is another story, with an audit of
   * its own.
   */
  forget(): void {
    this.#remembered = [];
    for (const witness of this.#witnesses) witness.forget();
  }

  #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  async #open(witness: Witness): Promise<void> {
    const client = await this.#connect(witness);
    if (client === undefined) return;
    this.#sockets++;
    this.#clients.set(witness, client);
    witness.follow(client);
    void client.closed.then(() => this.#open(witness));
  }

  /** Tries until a gateway accepts the socket; undefined if the checker stops first. */
  async #connect({ watcher, cursor }: Witness): Promise<RawClient | undefined> {
    const all = cursor === undefined ? '/v1/vms' : `/v1/vms?cursor=${encodeURIComponent(cursor)}`;
    while (!this.#isStopped()) {
      try {
        const client = await (typeof watcher === 'string'
          ? this.gateway.connect(all, watcher)
          : this.gateway.connect(`/v1/vms/${watcher.hostname}`, 'agent', watcher.hostname));
        if (!this.#isStopped()) return client;
        client.ws.terminate();
      } catch {
        await sleep(RETRY_MS);
      }
    }
    return undefined;
  }
}

async function readAudit(database: Queries): Promise<AuditEvent[]> {
  const rows = await database.query<Record<'op' | 'hostname' | 'version', string> & Assignment>(
    'SELECT op, hostname, version, assignment_id FROM vm_events ORDER BY id',
  );
  return rows.map(({ op, hostname, version, assignment_id }) => ({
    op,
    hostname,
    version: Number(version),
    assignmentId: assignment_id,
  }));
}

interface Assignment {
  readonly assignment_id: string | null;
}
