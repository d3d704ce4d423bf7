// The README of the protocol agrees with the schemas and the close codes, in both directions.

import { readFile } from 'node:fs/promises';
import t from 'tap';
import { Type, type TObject } from 'typebox';
import { Compile } from 'typebox/compile';
import { describeShape, readLiteral } from '../../.ci/docs/shapes.js';
import { CLOSE } from '../../src/protocol/close-codes.js';
import {
  Absent,
  Ack,
  Assignment,
  Auth,
  Changes,
  Delete,
  ErrorCode,
  ErrorMessage,
  FeedMessage,
  Ping,
  Pong,
  PresenceChange,
  ServerMessage,
  Snapshot,
  StatusChange,
  StatusReport,
  Upsert,
  Welcome,
  ClientMessage,
} from '../../src/protocol/messages.js';
import { Delivery, Outcome, Presence } from '../../src/protocol/presence.js';
import { DASHBOARD_COLUMNS, Vm } from '../../src/protocol/row.js';

const SERVER: readonly TObject[] = [
  Welcome,
  Assignment,
  StatusChange,
  Absent,
  Snapshot,
  Changes,
  FeedMessage,
  ErrorMessage,
  Pong,
];
const CLIENT: readonly TObject[] = [Ack, StatusReport, Auth, Ping];

const document = await readFile('src/protocol/README.md', 'utf8');

/** Reads the tables under a heading, as rows of cells without backticks. */
function tables(heading: string): string[][][] {
  const section = document.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return section
    .split(/\n(?!\|)/)
    .map((block) => block.split('\n').filter((line) => line.startsWith('|')))
    .filter((lines) => lines.length > 2)
    .map((lines) =>
      lines.slice(2).map((line) =>
        line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim().replaceAll('`', '')),
      ),
    );
}

/** Lists `type` and `type.field: type of the field` of every message in a table. */
function documented(rows: string[][] = []): string[] {
  let type = '';
  return rows.map(([first = '', field = '', shape = '']) => {
    if (first !== '') return (type = first);
    return `${type}.${field}: ${shape}`;
  });
}

/**
 * Lists the same from the schemas.
 * @param tag the field that identifies the message
 */
function defined(messages: readonly TObject[], tag: 'type' | 'op' = 'type'): string[] {
  return messages.flatMap(({ properties }) => {
    const type = readLiteral(properties[tag]) ?? '';
    const fields = Object.entries(properties)
      .filter(([name]) => name !== tag)
      .map(([name, schema]) => `${type}.${name}: ${describeShape(schema)}`);
    return [type, ...fields];
  });
}

/** Lists the fields of an object with their shapes and descriptions. */
const listFields = ({ properties }: TObject): string[][] =>
  Object.entries(properties).map(([name, schema]) => [
    name,
    describeShape(schema),
    'description' in schema ? String(schema.description).replaceAll('`', '') : '',
  ]);

t.test('every server message and field is documented, and nothing else', async (t) => {
  t.same(documented(tables('Server to client')[0]), defined(SERVER));
  t.same(ServerMessage.anyOf, SERVER);
});

t.test('every client message and field is documented, and nothing else', async (t) => {
  t.same(documented(tables('Client to server')[0]), defined(CLIENT));
  t.same(ClientMessage.anyOf, CLIENT);
});

t.test('every change is documented, and nothing else', async (t) => {
  t.same(
    documented(tables('Server to client')[1]),
    defined([Upsert, Delete, PresenceChange], 'op'),
  );
});

t.test('every field of presence and of a delivery is documented, and nothing else', async (t) => {
  t.same(tables('Presence')[0], listFields(Presence));
  t.same(tables('Presence')[1], listFields(Delivery));
  t.same(
    tables('Presence')[2]?.map(([outcome]) => outcome),
    Outcome.anyOf.map((literal) => literal.const),
  );
});

t.test('every column is documented, and who sees it, and nothing else', async (t) => {
  const columns = Object.entries(Vm.properties).map(([name, schema]) => [
    name,
    describeShape(schema),
    DASHBOARD_COLUMNS.includes(name) ? 'yes' : 'no',
    'description' in schema ? String(schema.description).replaceAll('`', '') : '',
  ]);
  t.same(tables('The row')[0], columns);
});

t.test('every error code is documented, and nothing else', async (t) => {
  const codes = ErrorCode.anyOf.map((literal) => literal.const);
  t.same(
    (tables('Server to client')[2] ?? []).map(([code]) => code),
    codes,
  );
});

t.test('every close code is documented with its return, and nothing else', async (t) => {
  const rows = Object.values(CLOSE).map(({ code, reason, return: back, meaning }) => [
    String(code),
    reason,
    back,
    meaning,
  ]);
  t.same(tables('Close codes')[0], rows);
});

/**
 * The messages of the walk-throughs, each with its direction, without the fields that "…" omits.
 */
const shown = [...document.matchAll(/^ {4}([←→]) (\{.*\})$/gm)].map(([, arrow, text = '']) => {
  const message: unknown = JSON.parse(text.replaceAll(/,?…\}/g, '}'));
  return { text, message, known: arrow === '←' ? SERVER : CLIENT };
});

/** Finds what is wrong with the fields of a message. Missing fields are accepted. */
function faults(message: unknown, known: readonly TObject[]): unknown[] {
  const wrong = ['additionalProperties', 'type', 'const'];
  const [schema] = known.filter(({ properties: { type = Type.Never() } }) =>
    Compile(Type.Object({ type })).Check(message),
  );
  if (schema === undefined) return ['unknown type'];
  return Compile(Type.Object(schema.properties, { additionalProperties: false }))
    .Errors(message)
    .filter(({ keyword, instancePath }) => wrong.includes(keyword) && !/\/.*\//.test(instancePath));
}

t.test('the walk-throughs show messages of the protocol, with fields they have', async (t) => {
  t.ok(shown.length >= 6);
  for (const { text, message, known } of shown) t.same(faults(message, known), [], text);
});

t.test('the walk-throughs show columns that a row has', async (t) => {
  const columns = [...document.matchAll(/"vm":(\{[^{}]*\})/g)].flatMap(([, row = '']) =>
    Object.keys(JSON.parse(row.replace(/,?…\}/, '}')) as object),
  );
  t.ok(columns.length >= 10);
  t.same(
    columns.filter((column) => !(column in Vm.properties)),
    [],
  );
});
