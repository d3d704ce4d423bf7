// The writers change the table while it is disturbed: they assign and release VMs, delete and
// insert them again, each over a connection of its own, and reconnect when they lose it.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Teardown } from '../helpers/database.js';

const VMS = 20;
const RETRY_MS = 20;
/** A fault lasts seconds. */
const MOST_FAILURES = 2_000;

export const HOSTNAMES = Array.from({ length: VMS }, (_, n) => `vm-${n}`);

/** Each change is a transaction of its own; a round trip for each would cost ten times as much. */
const buildChanges = (count: number): string => `
  DO $$
  DECLARE
    name text;
    person text;
  BEGIN
    FOR n IN 1..${count} LOOP
      name := 'vm-' || floor(random() * ${VMS});
      person := md5(random()::text);
      CASE floor(random() * 9)
        WHEN 0 THEN DELETE FROM vms WHERE hostname = name;
        WHEN 1, 2 THEN
          INSERT INTO vms (hostname, status) VALUES (name, 'available') ON CONFLICT (hostname) DO NOTHING;
        WHEN 3 THEN UPDATE vms SET status = 'available', email = NULL, crd_command = NULL WHERE hostname = name;
        WHEN 4 THEN UPDATE vms SET status = 'failed' WHERE hostname = name;
        ELSE UPDATE vms SET status = 'in-use', email = person, crd_command = person WHERE hostname = name;
      END CASE;
      COMMIT;
    END LOOP;
  END $$`;

export class Writers {
  readonly #clients: Writer[];

  /** @param config asked again for each connection: the database may be elsewhere by then. */
  constructor(t: Teardown, config: () => pg.ClientConfig, count = 4) {
    this.#clients = Array.from({ length: count }, () => new Writer(config));
    t.teardown(() => Promise.all(this.#clients.map((writer) => writer.end())));
  }

  /** This many changes in all, shared among the writers; resolves when all are committed. */
  async write(changes: number): Promise<void> {
    const each = changes / this.#clients.length;
    await Promise.all(this.#clients.map((writer) => writer.write(each)));
  }

  /** Runs a statement on one of the connections, again until it succeeds. */
  async run(sql: string): Promise<void> {
    await this.#clients[0]?.run(sql);
  }

  /** Changes go on until the work is done, whatever becomes of them meanwhile. */
  async during(work: () => Promise<unknown>): Promise<void> {
    let done = false;
    const goOn = async (writer: Writer): Promise<void> => {
      while (!done) await writer.write(1);
    };
    const writing = Promise.all(this.#clients.map(goOn));
    await work().finally(() => (done = true));
    await writing;
  }
}

class Writer {
  #client: pg.Client | undefined;

  constructor(private readonly config: () => pg.ClientConfig) {}

  /** Tries again until that many were committed at once. */
  write(changes: number): Promise<void> {
    return this.run(buildChanges(changes));
  }

  async run(sql: string): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        this.#client ??= await connect(this.config());
        await this.#client.query(sql);
        return;
      } catch (error) {
        if (failures === MOST_FAILURES) throw error;
        await this.end();
        await sleep(RETRY_MS);
      }
    }
  }

  async end(): Promise<void> {
    await this.#client?.end().catch(() => undefined);
    this.#client = undefined;
  }
}

async function connect(config: pg.ClientConfig): Promise<pg.Client> {
  // A query that is given up may go on in the server, beside the one that is tried instead: none is
  // in a hurry.
  const deadlines = { connectionTimeoutMillis: 2_000, query_timeout: 30_000 };
  const client = new pg.Client({ ...config, ...deadlines });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
