// A fleet that changes, its hub, and its clients. A flush happens only if the hub requested one.

import { Fleet } from '../../../src/gateway/fleet/fleet.js';
import { Hub, type Frame } from '../../../src/gateway/hub/hub.js';
import { createRowProjector, type Projection } from '../../../src/gateway/hub/projection.js';
import { DASHBOARD_COLUMNS } from '../../../src/protocol/row.js';
import { MAX_UNSENT_BYTES } from '../../helpers/memory-socket.js';
import { vmRow } from '../hub/rows.js';
import { FleetReader, History, VmReader } from './readers.js';

export class World {
  readonly fleet: Fleet;
  readonly hub: Hub;
  readonly history = new History();
  readonly readers = new Set<FleetReader | VmReader>();
  #projectRow = createRowProjector(DASHBOARD_COLUMNS);
  #version = 0;
  #flushRequested = false;

  constructor(maxTombstones = 1_000) {
    this.fleet = new Fleet('epoch', maxTombstones);
    this.hub = new Hub(this.fleet, this.#projectRow, () => (this.#flushRequested = true));
  }

  upsert(hostname: string, length = 0, status = 'available'): void {
    this.history.add(hostname, ++this.#version);
    const row = vmRow(hostname, this.#version, 'x'.repeat(length), status);
    this.hub.publish(this.fleet.upsert(row));
  }

  delete(hostname: string): void {
    this.history.add(hostname, 'absent');
    this.hub.publish(this.fleet.delete(hostname, ++this.#version));
  }

  setPresence(hostname: string, length = 0): void {
    const presence = formatPresence(hostname, `t${++this.#version}${'x'.repeat(length)}`);
    this.hub.publish(this.fleet.setPresence({ hostname, online: true, presence }));
  }

  forgetPresence(hostname: string): void {
    this.hub.publish(this.fleet.forgetPresence(hostname));
  }

  flush(): void {
    if (!this.#flushRequested) return;
    this.#flushRequested = false;
    this.hub.flush();
  }

  watchFleet(projection: Projection = 'full', former?: FleetReader): FleetReader {
    const reader = new FleetReader(this.hub, this.history, projection, former);
    this.readers.add(reader);
    return reader.start();
  }

  /** Adds a client whose socket is full after this many frames. */
  watchFleetSlowly(
    frames: number,
    projection: Projection = 'full',
    former?: FleetReader,
  ): FleetReader {
    const reader = new FleetReader(this.hub, this.history, projection, former);
    this.readers.add(reader);
    reader.socket.fillAfter(frames);
    return reader.start();
  }

  watchVm(hostname: string, projection: Projection = 'full'): VmReader {
    const reader = new VmReader(this.hub, this.history, hostname, projection);
    this.readers.add(reader);
    return reader.start();
  }

  leave(reader: FleetReader | VmReader): void {
    reader.leave();
    this.readers.delete(reader);
  }

  /** Checks what must always hold. */
  check(): void {
    for (const reader of this.readers) {
      reader.update();
      if (reader.socket.mostUnsentAtSend >= MAX_UNSENT_BYTES)
        throw new Error('sent to a socket that is not writable');
    }
  }

  /** Lets all clients read everything, and checks that each has the fleet's state. */
  settle(): void {
    this.flush();
    for (const reader of this.readers) reader.read();
    this.check();
    for (const reader of this.readers) {
      if (reader.lagging) throw new Error('lagging, although it has read everything');
      if (reader.live !== this.hub.live) throw new Error('the client has another feed state');
      const held = reader instanceof VmReader ? reader.vm : Object.fromEntries(reader.rows);
      if (canonical(held) !== canonical(this.#readExpected(reader))) {
        throw new Error(
          `holds ${canonical(held)} instead of ${canonical(this.#readExpected(reader))}`,
        );
      }
      if (reader instanceof FleetReader) this.#checkPresence(reader);
    }
  }

  #checkPresence(reader: FleetReader): void {
    const known = [...this.fleet.presence()].map(({ hostname, presence = '' }) => [
      hostname,
      (JSON.parse(presence) as { since: string }).since,
    ]);
    const held = canonical(Object.fromEntries(reader.presence));
    const expected = canonical(Object.fromEntries(known));
    if (held !== expected) throw new Error(`knows of agents ${held} instead of ${expected}`);
  }

  #readExpected(reader: FleetReader | VmReader): unknown {
    const row = (hostname: string): unknown => {
      const entry = this.fleet.get(hostname);
      if (entry?.kind !== 'vm') return undefined;
      return JSON.parse(this.#projectRow(entry, reader.projection));
    };
    if (reader instanceof VmReader) return row(reader.hostname);
    return Object.fromEntries([...this.fleet.hostnames()].map((name) => [name, row(name)]));
  }
}

/** Formats equal values as equal text, with sorted names and shortened strings. */
function canonical(value: unknown): string {
  const sorted = (_: string, part: unknown): unknown => {
    if (typeof part === 'string' && part.length > 40) return `${part.slice(0, 3)}…${part.length}`;
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return value === undefined ? 'none' : JSON.stringify(value, sorted);
}

/** Returns the only frame of a reader. */
export function onlyFrame(reader: FleetReader | VmReader): Frame {
  const [frame, ...more] = reader.socket.frames;
  if (frame === undefined || more.length > 0) throw new Error(`${more.length + 1} frames or none`);
  return frame;
}

function formatPresence(hostname: string, since: string): string {
  return JSON.stringify({
    hostname,
    online: true,
    since,
    duplicate: false,
    acked_assignment_id: null,
    delivery: null,
  });
}
