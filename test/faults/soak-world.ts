// The parts of a soak: a server, a gateway behind proxies that stays, another beside it that is
// killed now and then, the clients of both, and the writers that change the table.

import { setTimeout as sleep } from 'node:timers/promises';
import { startServer, type Teardown } from '../helpers/database.js';
import { watch } from './checker.js';
import { startCrowd } from './crowd.js';
import { GATEWAY_SECRET, startGatewayProcess } from './gateway-process.js';
import { startProxy } from './proxy.js';
import { HOSTNAMES, Writers } from './writers.js';

const AGENTS = 200;
/** In all about a hundred changes a second. */
const CHANGES_AT_ONCE = 8;
const BETWEEN_CHANGES_MS = 80;
/** A soak has the lowest priority on a busy machine. */
export const PATIENCE_MS = 600_000;

export type SoakWorld = Awaited<ReturnType<typeof startSoakWorld>>;

export async function startSoakWorld(t: Teardown) {
  const server = await startServer(t);
  const database = await server.createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'agent-' || n, 'available' FROM generate_series(0, $1::int) n`,
    [AGENTS - 1],
  );
  const databaseLink = await startProxy(t, database.config);
  const steady = await startGatewayProcess(t, databaseLink.through(database.config));
  const mortal = await startGatewayProcess(t, database.config);
  const clientLink = await startProxy(t, { host: '127.0.0.1', port: readPort(steady.url) });
  const { host, port } = clientLink.through({});
  const throughLink: typeof steady.connect = (path, role, sub) =>
    steady.connect(path, role, sub, `http://${host}:${port}`);
  const checkers = {
    steady: await watch(t, { connect: throughLink }, HOSTNAMES),
    mortal: await watch(t, mortal, []),
  };
  const crowd = startCrowd(t, {
    ...{ url: mortal.url, secret: GATEWAY_SECRET },
    ...{ prefix: 'agent-', size: AGENTS, processes: 1 },
  });
  await crowd.connected(PATIENCE_MS);
  const writers = new Writers(t, () => database.config);
  return {
    ...{ server, database, databaseLink, clientLink, steady, mortal, checkers, crowd },
    writers,
    /** Releases an agent, or assigns it to another person. */
    reassign: () => writers.run(reassignAgents),
    /** Changes the table until `stopped` returns true. */
    write: async (stopped: () => boolean): Promise<void> => {
      while (!stopped()) {
        await writers.write(CHANGES_AT_ONCE);
        await writers.run(reassignAgents);
        await sleep(BETWEEN_CHANGES_MS);
      }
    },
  };
}

/** Releases an agent, or assigns it to another person. */
const reassignAgents = `
  UPDATE vms SET status = new.status, email = new.email, crd_command = new.email
  FROM (
    SELECT 'agent-' || floor(random() * ${AGENTS}) AS hostname,
      CASE WHEN released THEN 'available' ELSE 'in-use' END AS status,
      CASE WHEN released THEN NULL ELSE md5(random()::text) END AS email
    FROM (SELECT random() < 0.3 AS released) AS chance
  ) AS new
  WHERE vms.hostname = new.hostname`;

const readPort = (url: string): number => Number(new URL(url).port);
