import t from 'tap';
import type { VmEntry } from '../../../src/gateway/fleet/entry.js';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';
import { formatChanges, readBatch, formatSnapshot } from '../../../src/gateway/hub/batches.js';
import { rowOfLength, vmRow } from './rows.js';

const LIMIT = 64 * 1024;
const CHANGE = 32;
const full = (entry: VmEntry): string => entry.row;

/** Walks the whole fleet; each piece as its hostnames and its end. */
function walk(fleet: Fleet): (readonly [string, number])[] {
  const pieces: (readonly [string, number])[] = [];
  for (let at = 0; at < fleet.head;) {
    const piece = readBatch(fleet, at, fleet.head);
    pieces.push([piece.entries.map(({ hostname }) => hostname).join(''), piece.to]);
    at = piece.to;
  }
  return pieces;
}

t.test('what fits a piece to the last character travels together', async (t) => {
  const fleet = new Fleet('e', 10);
  fleet.upsert(rowOfLength('a', LIMIT / 2 - CHANGE));
  fleet.upsert(rowOfLength('b', LIMIT / 2 - CHANGE));
  t.strictSame(walk(fleet), [['ab', 2]]);
});

t.test('one character more begins the next piece', async (t) => {
  const fleet = new Fleet('e', 10);
  fleet.upsert(rowOfLength('a', LIMIT / 2 - CHANGE));
  fleet.upsert(rowOfLength('b', LIMIT / 2 - CHANGE + 1));
  fleet.upsert(vmRow('c', 1));
  t.strictSame(walk(fleet), [
    ['a', 1],
    ['bc', 3],
  ]);
});

t.test('a row larger than a piece travels alone', async (t) => {
  const fleet = new Fleet('e', 10);
  fleet.upsert(vmRow('a', 1));
  fleet.upsert(rowOfLength('b', 10 * LIMIT));
  fleet.upsert(rowOfLength('c', 10 * LIMIT));
  fleet.upsert(vmRow('d', 1));
  t.strictSame(walk(fleet), [
    ['a', 1],
    ['b', 2],
    ['c', 3],
    ['d', 4],
  ]);
});

t.test(
  'a piece reaches over what has changed since: up to the next entry, or the limit',
  async (t) => {
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
  },
);

t.test('many deletions do not make a frame larger than rows do', async (t) => {
  const fleet = new Fleet('e', 100_000);
  for (let i = 0; i < 5_000; i++) fleet.delete(`vm${i}`, 1);
  for (let at = 0; at < fleet.head;) {
    const piece = readBatch(fleet, at, fleet.head);
    if (formatChanges(piece, full).length > LIMIT + 100) t.fail('a frame beyond the limit');
    at = piece.to;
  }
});

t.test('characters of several bytes arrive whole, whatever piece they fall into', async (t) => {
  const fleet = new Fleet('e', 10);
  const rows = ['ä', '日本', '👩🏽‍💻', '"\\\u0000'].map((text, i) =>
    fleet.upsert(vmRow(text, i, text.repeat(20_000 / text.length))),
  );
  const told: unknown[] = [];
  for (let at = 0; at < fleet.head;) {
    const piece = readBatch(fleet, at, fleet.head);
    const bytes = Buffer.from(formatChanges(piece, full));
    const { changes } = JSON.parse(bytes.toString()) as { changes: { vm: unknown }[] };
    told.push(...changes.map(({ vm }) => vm));
    at = piece.to;
  }
  t.strictSame(
    told,
    rows.map(({ row }): unknown => JSON.parse(row)),
  );
});

t.test('a piece as changes, and as a part of a snapshot', async (t) => {
  const fleet = new Fleet('e', 10);
  fleet.upsert(vmRow('a', 1));
  fleet.delete('b"', 1);
  const piece = readBatch(fleet, 0, fleet.head);
  const text = (entry: VmEntry): string => `"${entry.hostname}"`;
  t.strictSame(JSON.parse(formatChanges(piece, text)), {
    type: 'changes',
    changes: [
      { op: 'upsert', vm: 'a' },
      { op: 'delete', hostname: 'b"' },
    ],
    cursor: 'e.2',
  });
  const part = { type: 'snapshot', vms: ['a'], presence: [] };
  t.strictSame(JSON.parse(formatSnapshot(piece, false, text)), { ...part, more: true });
  t.strictSame(JSON.parse(formatSnapshot(piece, true, text)), {
    ...part,
    more: false,
    cursor: 'e.2',
  });
});
