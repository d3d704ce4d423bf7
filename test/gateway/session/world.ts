// A fleet that changes, its hub, and the readers of it. A flush happens when the hub asked for one, and only then.

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
  #rowText = createRowProjector(DASHBOARD_COLUMNS);
  #version = 0;
  #flushRequested = false;

  constructor(maxTombstones = 1_000) {
    this.fleet = new Fleet('epoch', maxTombstones);
    this.hub = new Hub(this.fleet, this.#rowText, () => (this.#flushRequested = true));
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
    const presence = presenceText(hostname, `t${++this.#version}${'x'.repeat(length)}`);
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

  watchFleet(view: Projection = 'full', former?: FleetReader): FleetReader {
    const reader = new FleetReader(this.hub, this.history, view, former);
    this.readers.add(reader);
    return reader.start();
  }

  /** A newcomer whose socket is full once it has taken so many frames. */
  watchFleetSlowly(frames: number, view: Projection = 'full', former?: FleetReader): FleetReader {
    const reader = new FleetReader(this.hub, this.history, view, former);
    this.readers.add(reader);
    reader.socket.fillAfter(frames);
    return reader.start();
  }

  watchVm(hostname: string, view: Projection = 'full'): VmReader {
    const reader = new VmReader(this.hub, this.history, hostname, view);
    this.readers.add(reader);
    return reader.start();
  }

  leave(reader: FleetReader | VmReader): void {
    reader.leave();
    this.readers.delete(reader);
  }

  /** What must hold at every moment. */
  check(): void {
    for (const reader of this.readers) {
      reader.update();
      if (reader.socket.mostUnsentAtSend >= MAX_UNSENT_BYTES) throw new Error('sent without room');
    }
  }

  /** Everyone reads all there is; then each holds what the fleet holds. */
  settle(): void {
    this.flush();
    for (const reader of this.readers) reader.read();
    this.check();
    for (const reader of this.readers) {
      if (reader.behind) throw new Error('behind, though it has read everything');
      if (reader.live !== this.hub.live) throw new Error('not told whether the feed is live');
      const held = reader instanceof VmReader ? reader.vm : Object.fromEntries(reader.rows);
      if (canonical(held) !== canonical(this.#shownTo(reader))) {
        throw new Error(`holds ${canonical(held)} instead of ${canonical(this.#shownTo(reader))}`);
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

  #shownTo(reader: FleetReader | VmReader): unknown {
    const row = (hostname: string): unknown => {
      const entry = this.fleet.get(hostname);
      if (entry?.kind !== 'vm') return undefined;
      return JSON.parse(this.#rowText(entry, reader.view));
    };
    if (reader instanceof VmReader) return row(reader.hostname);
    return Object.fromEntries([...this.fleet.hostnames()].map((name) => [name, row(name)]));
  }
}

/** Text that is the same for what is equal, whatever the order of names; long strings by their ends. */
function canonical(value: unknown): string {
  const sorted = (_: string, part: unknown): unknown => {
    if (typeof part === 'string' && part.length > 40) return `${part.slice(0, 3)}…${part.length}`;
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return value === undefined ? 'none' : JSON.stringify(value, sorted);
}

/** The only frame since the last call. */
export function onlyFrame(reader: FleetReader | VmReader): Frame {
  const [frame, ...more] = reader.socket.frames;
  if (frame === undefined || more.length > 0) throw new Error(`${more.length + 1} frames or none`);
  return frame;
}

function presenceText(hostname: string, since: string): string {
  return JSON.stringify({
    ...{ hostname, online: true, since, duplicate: false },
    ...{ acked_assignment_id: null, delivery: null },
  });
}
