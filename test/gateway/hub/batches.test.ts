import { readFile } from 'node:fs/promises';
import t from 'tap';
import type { VmEntry } from '../../../src/gateway/fleet/entry.js';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';
import {
  formatChanges,
  formatSnapshot,
  MAX_BATCH_BYTES,
  MAX_FRAME_BYTES,
  readBatch,
} from '../../../src/gateway/hub/batches.js';
import { rowOfLength, vmRow } from './rows.js';

const LIMIT = MAX_BATCH_BYTES;
const CHANGE = 32;
const full = (entry: VmEntry): string => entry.row;

/** Reads the whole fleet; returns each batch as its hostnames and its end. */
function readAll(fleet: Fleet): (readonly [string, number])[] {
  const batches: (readonly [string, number])[] = [];
  for (let at = 0; at < fleet.head;) {
    const batch = readBatch(fleet, at, fleet.head);
    batches.push([batch.entries.map(({ hostname }) => hostname).join(''), batch.to]);
    at = batch.to;
  }
  return batches;
}

t.test('entries that fit a batch to the last character share it', async (t) => {
  const fleet = new Fleet('e', 10);
  fleet.upsert(rowOfLength('a', LIMIT / 2 - CHANGE));
  fleet.upsert(rowOfLength('b', LIMIT / 2 - CHANGE));
  t.strictSame(readAll(fleet), [['ab', 2]]);
});

t.test('one character more begins the next batch', async (t) => {
  const fleet = new Fleet('e', 10);
  fleet.upsert(rowOfLength('a', LIMIT / 2 - CHANGE));
  fleet.upsert(rowOfLength('b', LIMIT / 2 - CHANGE + 1));
  fleet.upsert(vmRow('c', 1));
  t.strictSame(readAll(fleet), [
    ['a', 1],
    ['bc', 3],
  ]);
});

t.test('a row larger than a batch is sent alone', async (t) => {
  const fleet = new Fleet('e', 10);
  fleet.upsert(vmRow('a', 1));
  fleet.upsert(rowOfLength('b', 10 * LIMIT));
  fleet.upsert(rowOfLength('c', 10 * LIMIT));
  fleet.upsert(vmRow('d', 1));
  t.strictSame(readAll(fleet), [
    ['a', 1],
    ['b', 2],
    ['c', 3],
    ['d', 4],
  ]);
});

t.test('a batch covers superseded offsets up to the next entry or the limit', async (t) => {
  const fleet = new Fleet('e', 10);
  fleet.upsert(vmRow('a', 1));
  fleet.upsert(vmRow('b', 1));
  fleet.upsert(vmRow('b', 2));
  fleet.upsert(rowOfLength('c', LIMIT));
  fleet.upsert(vmRow('a', 2));
  t.strictSame(readBatch(fleet, 0, 2).entries, [], 'both changed after 2');
  t.equal(readBatch(fleet, 0, 2).to, 2);
  const first = readBatch(fleet, 0, 5);
  t.strictSame([first.entries.map(({ hostname }) => hostname), first.to], [['b'], 3]);
});

t.test('many deletions make no larger frame than rows do', async (t) => {
  const fleet = new Fleet('e', 100_000);
  for (let i = 0; i < 5_000; i++) fleet.delete(`vm${i}`, 1);
  for (let at = 0; at < fleet.head;) {
    const batch = readBatch(fleet, at, fleet.head);
    if (formatChanges(batch, full).length > MAX_FRAME_BYTES) t.fail('a frame beyond the limit');
    at = batch.to;
  }
});

t.test('no frame has more bytes than documented, whatever the text', async (t) => {
  const fleet = new Fleet('e'.repeat(64), 100_000);
  const texts = ['x', 'é', '漢字', '👩‍🔬', '"\\', '\u0001'];
  for (let i = 0; i < 3_000; i++) {
    const text = texts[i % texts.length] ?? '';
    const hostname = `${i}${text.repeat(250 / text.length)}`;
    const presence = JSON.stringify({ hostname, online: true });
    fleet.upsert(vmRow(hostname, 1, text.repeat(200)));
    fleet.setPresence({ hostname, online: true, presence });
    if (i % 3 === 1) fleet.delete(hostname, 2);
    if (i % 3 === 2) fleet.forgetPresence(hostname);
  }
  let most = 0;
  for (let at = 0; at < fleet.head;) {
    const batch = readBatch(fleet, at, fleet.head);
    const frames = [formatChanges(batch, full), formatSnapshot(batch, true, full)];
    most = Math.max(most, ...frames.map((frame) => Buffer.byteLength(frame)));
    at = batch.to;
  }
  t.ok(most <= MAX_FRAME_BYTES, `the largest frame has ${most} bytes`);
  t.ok(most > 0.9 * MAX_FRAME_BYTES, 'frames are not cut much earlier');
});

t.test('the document has the limit', async (t) => {
  const document = await readFile('src/protocol/README.md', 'utf8');
  t.match(document, `at most ${MAX_FRAME_BYTES / 1024} KiB`);
});

t.test('multi-byte characters arrive whole in every batch', async (t) => {
  const fleet = new Fleet('e', 10);
  const rows = ['ä', '日本', '👩🏽‍💻', '"\\\u0000'].map((text, i) =>
    fleet.upsert(vmRow(text, i, text.repeat(20_000 / text.length))),
  );
  const received: unknown[] = [];
  for (let at = 0; at < fleet.head;) {
    const batch = readBatch(fleet, at, fleet.head);
    const bytes = Buffer.from(formatChanges(batch, full));
    const { changes } = JSON.parse(bytes.toString()) as { changes: { vm: unknown }[] };
    received.push(...changes.map(({ vm }) => vm));
    at = batch.to;
  }
  t.strictSame(
    received,
    rows.map(({ row }): unknown => JSON.parse(row)),
  );
});

t.test('a batch is formatted as changes or as part of a snapshot', async (t) => {
  const fleet = new Fleet('e', 10);
  fleet.upsert(vmRow('a', 1));
  fleet.delete('b"', 1);
  const batch = readBatch(fleet, 0, fleet.head);
  const text = (entry: VmEntry): string => `"${entry.hostname}"`;
  t.strictSame(JSON.parse(formatChanges(batch, text)), {
    type: 'changes',
    changes: [
      { op: 'upsert', vm: 'a' },
      { op: 'delete', hostname: 'b"' },
    ],
    cursor: 'e.2',
  });
  const part = { type: 'snapshot', vms: ['a'], presence: [] };
  t.strictSame(JSON.parse(formatSnapshot(batch, false, text)), { ...part, more: true });
  t.strictSame(JSON.parse(formatSnapshot(batch, true, text)), {
    ...part,
    more: false,
    cursor: 'e.2',
  });
});
