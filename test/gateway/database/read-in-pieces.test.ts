// Long lists: read in pieces, so that no list holds the event loop, and of one moment all the same.

import t from 'tap';
import {
  doInPieces,
  PIECE_ROWS,
  readInPieces,
} from '../../../src/gateway/database/read-in-pieces.js';
import { startDatabase } from '../../helpers/database.js';

const database = await startDatabase(t);

const SQL = 'SELECT n FROM generate_series(1, $1::int) n ORDER BY n';
interface Row {
  readonly n: number;
}
const read = async (rows: number, project?: (row: Row) => Row): Promise<number[]> => {
  const query = { sql: SQL, values: [rows], maxRows: rows };
  return (await readInPieces(database.pool, query, project)).map(({ n }) => n);
};

/** Counts how much is done without a turn of the event loop in between. */
function countBetweenTurns() {
  let [sinceTurn, most] = [0, 0];
  const timer = setInterval(() => undefined, 1_000);
  let turn: NodeJS.Immediate | undefined;
  return {
    count: (): void => {
      most = Math.max(most, ++sinceTurn);
      turn ??= setImmediate(() => ([sinceTurn, turn] = [0, undefined]));
    },
    end: (): number => {
      clearInterval(timer);
      return most;
    },
  };
}

t.test('every row is read once and in order, whatever the length', async (t) => {
  for (const rows of [0, 1, PIECE_ROWS, PIECE_ROWS + 1, PIECE_ROWS + 2, 2 * PIECE_ROWS, 1_001])
    t.same(
      await read(rows),
      Array.from({ length: rows }, (_, n) => n + 1),
      `${rows} rows`,
    );
});

t.test('the event loop turns after each piece', async (t) => {
  const turns = countBetweenTurns();
  await read(1_001, (row) => {
    turns.count();
    return row;
  });
  t.ok(turns.end() <= PIECE_ROWS, 'no more rows than a piece has');

  const others = countBetweenTurns();
  const items = Array.from({ length: 1_001 }, (_, n) => n);
  const work = async (piece: readonly number[]): Promise<readonly number[]> => {
    piece.forEach(others.count);
    return piece;
  };
  t.same(await doInPieces(items, work), items);
  t.ok(others.end() <= PIECE_ROWS);
});

t.test('a long list is of one moment, whatever changes between its pieces', async (t) => {
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 400) n`,
  );
  let deletion: Promise<unknown> | undefined;
  const sql = 'SELECT hostname FROM public.vms ORDER BY id';
  const hostnames = await readInPieces(
    database.pool,
    { sql, values: [], maxRows: 1_000 },
    (row) => {
      deletion ??= database.query('DELETE FROM vms');
      return row;
    },
  );
  await deletion;
  t.equal(hostnames.length, 400);
});

t.test('a list that fails leaves a usable connection', async (t) => {
  const fails = { sql: 'SELECT 1 / (300 - n) AS n FROM generate_series(1, 400) n', values: [] };
  await t.rejects(readInPieces(database.pool, { ...fails, maxRows: 400 }), {
    code: '22012',
  });
  t.same(await read(2), [1, 2]);
});
