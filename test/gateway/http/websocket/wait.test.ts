// Waiting for a VM: every way in which it ends, and that no subscriber remains.

import { getEventListeners, setMaxListeners } from 'node:events';
import t, { type Test } from 'tap';
import { Fleet } from '../../../../src/gateway/fleet/fleet.js';
import { waitForVersion } from '../../../../src/gateway/http/websocket/wait.js';
import { Hub, type VmSubscriber } from '../../../../src/gateway/hub/hub.js';
import { createRowProjector } from '../../../../src/gateway/hub/projection.js';

/** Longer than any test. */
const LONG_MS = 60_000;

/** A hub that counts its subscribers. */
class CountingHub extends Hub {
  readonly watchers = new Set<VmSubscriber>();

  override subscribeToVm(watcher: VmSubscriber): void {
    this.watchers.add(watcher);
    super.subscribeToVm(watcher);
  }

  override unsubscribeFromVm(watcher: VmSubscriber): void {
    this.watchers.delete(watcher);
    super.unsubscribeFromVm(watcher);
  }
}

/** Creates a fleet with vm-1 at version 1, and a wait for it. */
function makeWorld() {
  const fleet = new Fleet('epoch', 10);
  const hub = new CountingHub(fleet, createRowProjector([]), () => undefined);
  const [left, ending] = [new AbortController(), new AbortController()];
  const learn = (version: number, hostname = 'vm-1') => {
    const entry = fleet.upsert({
      ...{ hostname, version, status: 'available', assignmentId: null },
      row: `{"v":${version}}`,
    });
    hub.publish(entry);
    return entry;
  };
  const entry = learn(1);
  const wait = (version: number, forMs = LONG_MS, hostname = 'vm-1') =>
    waitForVersion(hub, { hostname, version, forMs }, [left.signal, ending.signal]);
  for (const { signal } of [left, ending]) setMaxListeners(0, signal);
  return { fleet, hub, left, ending, learn, entry, wait };
}

/** Runs a test with its own hub, and checks that no subscriber remains. */
function inWorld(
  name: string,
  run: (t: Test, world: ReturnType<typeof makeWorld>) => unknown,
): void {
  t.test(name, async (t) => {
    const world = makeWorld();
    await run(t, world);
    t.equal(world.hub.watchers.size, 0, 'nobody watches any more');
    for (const { signal } of [world.left, world.ending]) {
      t.same(getEventListeners(signal, 'abort'), []);
    }
  });
}

inWorld(
  'resolves immediately if the version already differs, higher or lower',
  async (t, { wait, entry }) => {
    t.same(await wait(0), { outcome: 'changed', entry });
    t.same(await wait(7), { outcome: 'changed', entry });
  },
);

inWorld('resolves with the current row after a change', async (t, { wait, learn, hub }) => {
  const waiting = wait(1);
  t.equal(hub.watchers.size, 1);
  learn(5, 'vm-2');
  const entry = learn(2);
  t.same(await waiting, { outcome: 'changed', entry });
});

inWorld('ignores a repetition of the same version', async (t, { wait, hub, entry, learn }) => {
  const waiting = wait(1);
  hub.publish(entry);
  const changed = learn(2);
  t.same(await waiting, { outcome: 'changed', entry: changed });
});

inWorld('resolves when the VM is deleted', async (t, { wait, fleet, hub }) => {
  const waiting = wait(1);
  hub.publish(fleet.delete('vm-1', 2));
  t.same(await waiting, { outcome: 'changed', entry: undefined });
  t.same(await wait(1), { outcome: 'changed', entry: undefined }, 'and at once when it is gone');
});

inWorld('resolves when a missing VM is inserted', async (t, { wait, learn, fleet, hub }) => {
  const waiting = wait(0, LONG_MS, 'vm-2');
  const entry = learn(2, 'vm-2');
  t.same(await waiting, { outcome: 'changed', entry });
  hub.publish(fleet.delete('vm-2', 3));
  t.same(await wait(0, 1, 'vm-2'), { outcome: 'up' }, 'a VM that is gone is none');
});

inWorld('resolves when the time is up', async (t, { wait }) => {
  t.same(await wait(1, 0), { outcome: 'up' });
  t.same(await wait(1, 5), { outcome: 'up' });
});

for (const who of ['left', 'ending'] as const) {
  inWorld(`who waits is let go: ${who}`, async (t, { wait, hub, [who]: controller }) => {
    const waiting = wait(1);
    t.equal(hub.watchers.size, 1);
    controller.abort();
    t.same(await waiting, { outcome: 'ended' });
    t.same(await wait(1), { outcome: 'ended' }, 'at once when it was before');
  });
}

inWorld('continues while the feed is interrupted', async (t, { wait, hub, learn }) => {
  const waiting = wait(1);
  hub.setLive(true);
  hub.setLive(false);
  const entry = learn(2);
  t.same(await waiting, { outcome: 'changed', entry });
});

inWorld('several waits are independent', async (t, { wait, hub, learn }) => {
  const waiting = Array.from({ length: 20 }, () => wait(1));
  t.equal(hub.watchers.size, 20);
  const entry = learn(2);
  t.same(await Promise.all(waiting), Array(20).fill({ outcome: 'changed', entry }));
});
