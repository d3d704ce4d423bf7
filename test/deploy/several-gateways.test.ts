// Two gateways on one database behind the real HAProxy, with our file. A request to either reaches
// agents on both. A gateway is killed and both are restarted under load, and no agent misses an
// assignment.

import t from 'tap';
import { startGatewayProcess, type GatewayProcess } from '../faults/gateway-process.js';
import { watch } from '../faults/checker.js';
import { HOSTNAMES, Writers } from '../faults/writers.js';
import { startDatabase } from '../helpers/database.js';
import type { RawClient } from '../helpers/raw-client.js';
import { until } from '../helpers/until.js';
import { lacking } from './deployed.js';
import type { Proxy } from './proxies.js';
import { startHaproxy } from './start-proxies.js';

/**
 * VMs that only this test changes, so that each of their assignments stands until it has arrived.
 * There are enough that some are on either gateway, however their connections cross.
 */
const SEATS = Array.from({ length: 12 }, (_, n) => `seat-${n}`);
const CLIENTS = HOSTNAMES.length + SEATS.length + 2;

/** Connects through the proxy, and keeps all sockets there ever were. */
class Sockets {
  readonly #byPath = new Map<string, RawClient[]>();

  constructor(
    private readonly proxy: Proxy,
    private readonly gateway: GatewayProcess,
  ) {}

  readonly connect: GatewayProcess['connect'] = async (path, role, sub) => {
    const headers = { authorization: `Bearer ${await this.gateway.token(role, sub)}` };
    const client = await this.proxy.connect(path, { headers });
    this.#byPath.set(path, [...(this.#byPath.get(path) ?? []), client]);
    return client;
  };

  /** The gateway that each path's latest socket is on; undefined while it has said nothing. */
  spread(): Map<string, unknown> {
    return new Map(
      [...this.#byPath].map(([path, clients]) => [path, clients.at(-1)?.messages[0]?.gateway]),
    );
  }

  /** Resolves with the latest socket on which an agent received this assignment. */
  async told(hostname: string, assignmentId: string): Promise<RawClient> {
    return until(`${hostname} is told of ${assignmentId}`, () =>
      this.#byPath
        .get(`/v1/vms/${hostname}`)
        ?.findLast(({ messages }) =>
          messages.some(
            ({ type, vm }) =>
              type === 'assignment' &&
              (vm as { assignment_id?: unknown }).assignment_id === assignmentId,
          ),
        ),
    );
  }
}

async function readGatewayId(gateway: GatewayProcess): Promise<unknown> {
  const client = await gateway.connect('/v1/vms', 'dashboard');
  const { gateway: id } = await client.nextMessage('welcome');
  await client.close();
  return id;
}

interface Row {
  readonly assignment_id: string;
}

/**
 * Changes a VM as an admin; asks again, as people do, while the one that is asked is going down.
 */
async function change(
  urls: () => readonly string[],
  token: string,
  hostname: string,
  body: object,
): Promise<Row> {
  let tries = 0;
  return until(`${hostname} is changed`, async () => {
    const url = urls()[tries++ % urls().length];
    const answer = await fetch(`${url}/v1/vms/${hostname}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }).catch(() => undefined);
    return answer?.ok === true && ((await answer.json()) as Row);
  });
}

t.test('two gateways behind HAProxy', { skip: lacking('haproxy') }, async (t) => {
  const database = await startDatabase(t);
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT unnest($1::text[]), 'available'`,
    [SEATS],
  );
  const env = { MIGRATE: 'check', TRUST_PROXY: '1', DRAIN_SECONDS: '2' };
  const gateways = await Promise.all([
    startGatewayProcess(t, database.config, env),
    startGatewayProcess(t, database.config, env),
  ]);
  const [a, b] = gateways;
  const urls = (): string[] => gateways.map(({ url }) => url);
  const admin = await a.token('admin');
  // A gateway that is away refuses at once; a gateway that is slow to answer is not away.
  const proxy = await startHaproxy(t, urls(), {
    'timeout connect 2s': 'timeout connect 30s',
    'timeout check 2s': 'timeout check 30s',
  });
  const sockets = new Sockets(proxy, a);
  await until('both are ready', async () => (await proxy.get('/health/ready')).status === 200);
  const checker = await watch(t, sockets, [...HOSTNAMES, ...SEATS]);
  await checker.settled(database);

  const isAcknowledged = async (assignmentId: string): Promise<boolean> => {
    const sql =
      'SELECT FROM vm_deliveries WHERE assignment_id = $1 AND acknowledged_at IS NOT NULL';
    return (await database.query(sql, [assignmentId])).length === 1;
  };
  /**
   * Assigns the seat through one of `through`; when its agent has acknowledged that, the seat is
   * free again.
   */
  const assign = async (seat: string, through: () => readonly string[]): Promise<RawClient> => {
    const person = { email: `${Math.random()}@b.c`, crd_command: 'run' };
    const vm = await change(through, admin, seat, { status: 'in-use', ...person });
    // A lost socket takes the acknowledgement with it, so the next socket sends it again.
    const client = await until('the acknowledgement is recorded', async () => {
      const latest = await sockets.told(seat, vm.assignment_id);
      latest.send({ type: 'ack', assignment_id: vm.assignment_id });
      return (await isAcknowledged(vm.assignment_id)) && latest;
    });
    await change(through, admin, seat, { status: 'available' });
    return client;
  };

  t.test('sockets are spread over both', async (t) => {
    const counts = new Map<unknown, number>();
    for (const gateway of sockets.spread().values()) {
      counts.set(gateway, (counts.get(gateway) ?? 0) + 1);
    }
    t.equal(counts.size, 2);
    for (const count of counts.values()) t.ok(count >= CLIENTS / 3, `${count} of ${CLIENTS}`);
  });

  t.test('an assignment made through either reaches agents on both', async (t) => {
    for (const url of urls()) {
      const reached = new Set<unknown>();
      for (const seat of SEATS) {
        const client = await assign(seat, () => [url]);
        reached.add(client.messages[0]?.gateway);
      }
      t.equal(reached.size, 2);
    }
  });

  t.test('one is killed, both are restarted, under load: nobody misses anything', async (t) => {
    let over = false;
    let assigned = 0;
    const assigning = async (seat: string): Promise<void> => {
      while (!over) {
        await assign(seat, urls);
        assigned++;
      }
    };
    const seats = Promise.all(SEATS.map(assigning));
    const everyoneIsBack = (since: number) =>
      until('everyone has a socket', () => checker.sockets >= since);
    await new Writers(t, () => database.config, 2)
      .during(async () => {
        const id = await readGatewayId(b);
        const lost = [...sockets.spread().values()].filter((on) => on === id).length;
        const before = checker.sockets;
        await b.kill();
        await everyoneIsBack(before + lost);
        await b.start();
        for (const gateway of gateways) {
          t.match(await gateway.stop(), { code: 0 });
          await gateway.start();
          const assignedBefore = assigned;
          await until('assigning goes on', () => assigned > assignedBefore + SEATS.length);
        }
      })
      .finally(() => (over = true));
    await seats;
    await checker.settled(database);
    t.same(await checker.violations(database), []);
    t.ok(assigned > 3 * SEATS.length, `${assigned} assignments, each of which arrived`);
    t.ok(checker.sockets > 2 * CLIENTS, 'sockets were lost, and came back');
  });

  t.end();
});
