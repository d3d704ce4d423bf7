// The steps of a history: what people and other programs do to the table, and the weathers. A step
// is data: the same step does the same thing in every history, and a weather ends by itself, so
// that any step can be left out.

import { makeAssignmentId, type Transaction } from './database.js';
import type { LinkKind, NetworkFault } from './link.js';
import type { Random } from './random.js';
import type { Refusal, Server } from './server.js';
import type { World } from './world.js';

export interface Step {
  readonly atMs: number;
  readonly name: string;
  /** Numbers that the step interprets, each from 0 up to 1. */
  readonly dice: readonly number[];
}

/** Reads the dice of a step, one after the other. */
class Dice {
  #at = 0;

  constructor(private readonly dice: readonly number[]) {}

  next(): number {
    return this.dice[this.#at++ % this.dice.length] ?? 0;
  }

  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}

type Act = (world: World, dice: Dice) => void;

/** Few hostnames, most often the first, so that their changes meet. */
const NAMES = ['a', 'a', 'a', 'b', 'b', 'c', 'vm-ł'] as const;

const open = (world: World, slot: number): Transaction => {
  const known = world.slots.get(slot);
  if (known?.isOpen === true) return known;
  const tx = world.server.database.begin();
  world.slots.set(slot, tx);
  return tx;
};

/** A statement in a transaction that stays open. */
const inSlot =
  (perform: (world: World, tx: Transaction, dice: Dice) => () => Transaction | undefined): Act =>
  (world, dice) => {
    if (!world.mayWrite) return;
    const tx = open(world, dice.below(3));
    if (tx.waiting === undefined)
      world.server.database.perform(tx, perform(world, tx, dice), () => undefined);
  };

const assign = (dice: Dice) => ({
  status: 'in-use',
  email: dice.pick(['ada', 'bob']),
  command: `run ${dice.below(3)}`,
});
const release = { status: 'available', email: null, command: null };

/** What happens in every history. The weight is how often. */
export const WORK: readonly (readonly [weight: number, name: string, act: Act])[] = [
  [3, 'insert', (world, dice) => world.insert(dice.pick(NAMES))],
  [6, 'assign', (world, dice) => world.update(dice.pick(NAMES), assign(dice))],
  [3, 'release', (world, dice) => world.update(dice.pick(NAMES), release)],
  [1, 'fail', (world, dice) => world.update(dice.pick(NAMES), { status: 'failed' })],
  [2, 'change', (world, dice) => world.update(dice.pick(NAMES), { isLarge: dice.next() < 0.3 })],
  [3, 'delete', (world, dice) => world.delete(dice.pick(NAMES))],
  [1, 'rename', (world, dice) => world.update(dice.pick(NAMES), { hostname: dice.pick(NAMES) })],
  [
    2,
    'insert in a transaction',
    inSlot((world, tx, dice) =>
      world.server.database.insert(tx, dice.pick(NAMES), () => undefined),
    ),
  ],
  [
    2,
    'assign in a transaction',
    inSlot((world, tx, dice) =>
      world.server.database.update(tx, dice.pick(NAMES), assign(dice), () => undefined),
    ),
  ],
  [
    2,
    'delete in a transaction',
    inSlot((world, tx, dice) => world.server.database.delete(tx, dice.pick(NAMES))),
  ],
  [
    1,
    'rename in a transaction',
    inSlot((world, tx, dice) =>
      world.server.database.update(
        tx,
        dice.pick(NAMES),
        { hostname: dice.pick(NAMES) },
        () => undefined,
      ),
    ),
  ],
  [
    6,
    'commit',
    (world, dice) => {
      const tx = world.slots.get(dice.below(3));
      if (tx === undefined) return;
      if (world.server.isQueueFull) world.server.database.rollBack(tx);
      else world.server.database.commit(tx);
    },
  ],
  [
    1,
    'roll back',
    (world, dice) => {
      const tx = world.slots.get(dice.below(3));
      if (tx !== undefined) world.server.database.rollBack(tx);
    },
  ],
];

/** From a moment to longer than every deadline. */
const choosePause = (dice: Dice): number =>
  dice.next() < 0.5 ? 2_000 * dice.next() : 60_000 * dice.next();

const refuse =
  (refusal: Refusal): Act =>
  (world, dice) => {
    const { server } = world;
    server.refusals.add(refusal);
    world.during(choosePause(dice), () => {
      server.refusals.delete(refusal);
      if (refusal === 'no-column') world.markSilent();
    });
  };

const pickGateway = (world: World, dice: Dice) =>
  dice.pick(world.gateways.filter(({ endpoint }) => !endpoint.process.isKilled));

const disturb =
  (fault: NetworkFault): Act =>
  (world, dice) => {
    const { endpoint } = pickGateway(world, dice);
    const kinds: readonly LinkKind[] = dice.pick([['listen'], ['queries'], ['listen', 'queries']]);
    for (const kind of kinds) endpoint.faults.set(kind, fault);
    world.during(choosePause(dice), () => kinds.forEach((kind) => endpoint.heal(kind)));
  };

/** The address leads to another server; the old one ends, or stays up. */
function moveTo(world: World, next: Server, staysUp: boolean): void {
  const before = world.server;
  for (const tx of world.slots.values()) before.database.rollBack(tx);
  world.slots.clear();
  world.server = next;
  world.markSilent();
  if (staysUp) {
    world.ledger.ambiguous = true;
    return;
  }
  before.isDown = true;
  before.endSessions();
}

/** A new server with the contents of this one, less its last commits. */
function createStandby(world: World, lostCommits: number, ahead: number): Server {
  const { database } = world.server;
  const next = world.createServer();
  for (const tx of [...database.open]) database.rollBack(tx);
  next.database.adoptFrom(database, lostCommits, ahead);
  return next;
}

/** The weathers, by name. Each is a kind of fault that a running gateway can meet. */
export const WEATHERS: Readonly<Record<string, Act>> = {
  'table locked': (world, dice) => {
    if (!world.mayWrite) return;
    const { database } = world.server;
    const tx = database.begin();
    tx.holdsTable = true;
    world.during(choosePause(dice), () => database.rollBack(tx));
  },
  'row security hides rows': refuse('row-security'),
  'a right is missing': refuse('no-right'),
  'the schema is dropped and created again': (world, dice) => {
    const { server } = world;
    if (!world.mayWrite) return;
    const kept = [...server.database.contents.rows.values()].filter(() => dice.next() < 0.7);
    server.refusals.add('no-schema');
    for (const tx of [...server.database.open]) server.database.rollBack(tx);
    world.during(choosePause(dice), () => {
      server.database.recreate(kept);
      world.markSilent();
      server.refusals.delete('no-schema');
    });
  },
  'a column is renamed': (world, dice) => {
    const { server } = world;
    if (server.database.triggersOff) return;
    server.database.triggersOff = true;
    server.refusals.add('no-column');
    world.during(choosePause(dice), () => {
      server.database.triggersOff = false;
      server.refusals.delete('no-column');
      world.markSilent();
    });
  },
  'triggers are disabled': (world, dice) => {
    const { database } = world.server;
    if (database.triggersOff) return;
    database.triggersOff = true;
    database.contents.triggers++;
    world.markSilent();
    world.during(choosePause(dice), () => {
      database.triggersOff = false;
      database.contents.triggers++;
      world.markSilent();
    });
  },
  'the database is read-only': refuse('read-only'),
  'the queue of notifications is full': (world, dice) => {
    const { server } = world;
    server.isQueueFull = true;
    world.during(choosePause(dice), () => {
      server.isQueueFull = false;
    });
  },
  'the connections are limited': (world, dice) => {
    const { server } = world;
    server.connectionLimit = dice.below(6);
    server.endSessions();
    world.during(choosePause(dice), () => {
      server.connectionLimit = Infinity;
    });
  },
  'a row cannot be read': (world, dice) => {
    const { server } = world;
    const hostname = dice.pick(NAMES);
    server.database.setUnreadable(hostname, true);
    // The others go on, however long it stays.
    if (dice.next() < 0.5) return;
    world.during(choosePause(dice), () => {
      server.database.setUnreadable(hostname, false);
      world.markSilent();
    });
  },
  'an encoding lacks a hostname': (world) => {
    world.server.encoding = 'LATIN1';
  },
  'a constraint of others': (world, dice) => {
    const { server } = world;
    server.rejectedStatus = 'failed';
    world.during(choosePause(dice), () => {
      server.rejectedStatus = undefined;
    });
  },
  'the server restarts': (world, dice) => {
    const { server } = world;
    server.isDown = true;
    server.endSessions();
    world.during(choosePause(dice), () => {
      server.isDown = false;
    });
  },
  'the server is frozen': (world, dice) => {
    const { server } = world;
    server.isFrozen = true;
    world.during(choosePause(dice), () => server.thaw());
  },
  'listeners are ended': (world) => {
    for (const session of [...world.server.sessions])
      if (session.channels.size > 0) world.server.close(session);
  },
  'a failover loses commits': (world, dice) => {
    if (world.server.isDown) return;
    moveTo(world, createStandby(world, dice.below(4), dice.pick([0, 0, 1, 32])), false);
  },
  'the address moves and the old server stays up': (world, dice) => {
    if (world.server.isDown) return;
    moveTo(world, createStandby(world, dice.below(2), 0), true);
  },
  'an older state is restored': (world, dice) => {
    const { server } = world;
    if (!world.mayWrite) return;
    server.endSessions();
    server.database.goBack(1 + dice.below(4), 0);
    world.markSilent();
  },
  'connections to the database are cut': (world, dice) => {
    const { endpoint } = pickGateway(world, dice);
    const kinds: readonly LinkKind[] = dice.pick([['listen'], ['queries'], ['listen', 'queries']]);
    for (const kind of kinds) endpoint.cut(kind);
  },
  'the way to the database stalls': disturb('stall'),
  'the way to the database loses everything': disturb('drop'),
  'the way to the database is slow': (world, dice) => {
    const { endpoint } = pickGateway(world, dice);
    endpoint.slowness = 1 + 200 * dice.next();
    world.during(choosePause(dice), () => {
      endpoint.slowness = 1;
    });
  },
  'notifications are forged': (world, dice) => {
    // What no agent acts on is shown until the next check.
    world.markSilent();
    const hostname = dice.pick(NAMES);
    const { database, sessions } = world.server;
    const row = database.contents.rows.get(hostname);
    const forged = {
      hostname,
      email: 'eve',
      command: 'run evil',
      version: dice.pick([2 ** 48, (row?.version ?? 0) + 1, 1]),
    };
    const stranger = database.contents.key;
    const id =
      dice.next() < 0.5
        ? (row?.assignmentId ?? null)
        : makeAssignmentId(stranger, { ...forged, email: 'x' }, 7);
    const payload = JSON.stringify({
      ...forged,
      command: undefined,
      crd_command: forged.command,
      id: 1,
      status: 'in-use',
      updated_at: 'forged',
      assignment_id: id,
    });
    for (const session of sessions)
      if (session.channels.has('vm_updates'))
        session.link.toClient(() => session.onNotification('vm_updates', payload));
  },
  'an old notification is sent again': (world, dice) => {
    const payload = world.ledger.sent[dice.below(world.ledger.sent.length)];
    if (payload === undefined) return;
    // Versions of before say nothing any longer.
    if (world.ledger.isRewritten) world.markSilent();
    for (const session of world.server.sessions)
      if (session.channels.has('vm_updates'))
        session.link.toClient(() => session.onNotification('vm_updates', payload));
  },
  'clients are disconnected': (world, dice) => {
    for (const pair of [...world.network.pairs]) if (dice.next() < 0.7) pair.cut();
  },
  'clients do not read': (world, dice) => {
    const pairs = [...world.network.pairs].filter(() => dice.next() < 0.7);
    for (const pair of pairs) pair.isStalled = true;
    world.during(choosePause(dice), () => pairs.forEach((pair) => pair.release()));
  },
  'sockets are half open': (world, dice) => {
    for (const pair of world.network.pairs) if (dice.next() < 0.7) pair.isLost = true;
  },
  'no client reaches a gateway': (world, dice) => {
    world.network.isDown = true;
    for (const pair of [...world.network.pairs]) pair.cut();
    world.during(choosePause(dice), () => {
      world.network.isDown = false;
    });
  },
  'an agent is killed': (world, dice) => {
    if (world.agents.length === 0) return;
    const agent = dice.pick(world.agents);
    agent.kill();
    world.during(choosePause(dice), () => agent.start());
  },
  'a gateway is killed': (world, dice) => {
    const gateway = pickGateway(world, dice);
    for (const pair of [...world.network.pairs]) if (pair.gateway === gateway) pair.cut();
    gateway.kill();
    world.startGateway();
  },
  'a gateway is stopped for a while': (world, dice) => {
    const { process } = pickGateway(world, dice).endpoint;
    process.isStopped = true;
    world.during(choosePause(dice), () => world.time.resume(process));
  },
};

export const WEATHER_NAMES = Object.keys(WEATHERS);

const ACTS = new Map<string, Act>([
  ...WORK.map(([, name, act]) => [name, act] as const),
  ...Object.entries(WEATHERS),
]);
const WEIGHTED = WORK.flatMap(([weight, name]) => Array.from({ length: weight }, () => name));

export function perform(world: World, { name, dice }: Step): void {
  const act = ACTS.get(name);
  if (act === undefined) throw new Error(`no step ${name}`);
  world.trace(`step: ${name}`);
  if (name in WEATHERS) world.ledger.count(`weather: ${name}`);
  act(world, new Dice(dice));
}

/** Draws the steps of a history: work in bursts, and one to three weathers. */
export function drawSteps(random: Random, only?: string): Step[] {
  const weathers =
    only === undefined
      ? Array.from({ length: random.below(4) }, () => random.pick(WEATHER_NAMES))
      : [only, only];
  const count = 12 + random.below(24);
  const steps: Step[] = [];
  let atMs = random.once(2) ? 0 : 3_000;
  for (let n = 0; n < count; n++) {
    atMs += random.once(6) ? 4_000 * random.next() : random.once(2) ? 0 : 30 * random.next();
    const isWeather = weathers.length > 0 && random.once(6);
    const name = isWeather ? random.pick(weathers) : random.pick(WEIGHTED);
    steps.push({
      atMs,
      name,
      dice: [random.next(), random.next(), random.next(), random.next(), random.next()],
    });
  }
  return steps;
}
