// The protocol's tables: messages, changes, error codes, close codes, the row, presence and
// deliveries.

import type { TObject, TSchema } from 'typebox';
import { createAsyncApiDocument } from '../../src/protocol/asyncapi.js';
import { CLOSE } from '../../src/protocol/close-codes.js';
import {
  ClientMessage,
  Delete,
  ErrorCode,
  PresenceChange,
  ServerMessage,
  Upsert,
} from '../../src/protocol/messages.js';
import { Delivery, Outcome, Presence } from '../../src/protocol/presence.js';
import { DASHBOARD_COLUMNS, Vm } from '../../src/protocol/row.js';
import { describeShape, readDescription, readLiteral } from './shapes.js';
import { code, table } from './table.js';

const CHANGE_MEANING: Readonly<Record<string, string>> = {
  upsert: 'This VM is new or has changed: its row.',
  delete: 'This VM no longer exists.',
  presence:
    'The presence of this agent is new or has changed. An agent that is not `online` and has neither ' +
    '`since` nor `delivery` is forgotten.',
};

/**
 * The summaries of the AsyncAPI document; the status that clients send has a name of its own there.
 */
function readSummary(type: string, direction: 'server' | 'client'): string {
  const { messages } = createAsyncApiDocument().components;
  const name = direction === 'client' && type === 'status' ? 'statusReport' : type;
  const message = messages[name];
  if (message === undefined) throw new Error(`no summary for the message ${type}`);
  return message.summary;
}

/** @param tag the field that distinguishes the messages */
function messageRows(
  messages: readonly TObject[],
  tag: 'type' | 'op',
  describe: (type: string) => string,
): string[][] {
  return messages.flatMap(({ properties }) => {
    const type = readLiteral(properties[tag]) ?? '';
    const fields = Object.entries(properties)
      .filter(([name]) => name !== tag)
      .map(([name, schema]) => ['', code(name), quoteShape(schema), readDescription(schema)]);
    return [[code(type), '', '', describe(type)], ...fields];
  });
}

/** Literals stand as code, types as words. */
function quoteShape(schema: TSchema): string {
  return describeShape(schema).replace(/"[^"]*"/g, (literal) => code(literal));
}

const messageTable = (heading: string, rows: string[][]): string =>
  table([heading, 'field', 'type of the field', 'meaning'], rows);

export const serverMessages = (): string =>
  messageTable(
    'type',
    messageRows(ServerMessage.anyOf, 'type', (type) => readSummary(type, 'server')),
  );

export const clientMessages = (): string =>
  messageTable(
    'type',
    messageRows(ClientMessage.anyOf, 'type', (type) => readSummary(type, 'client')),
  );

export const changes = (): string =>
  messageTable(
    'change',
    messageRows([Upsert, Delete, PresenceChange], 'op', (op) => CHANGE_MEANING[op] ?? ''),
  );

export const errorCodes = (): string =>
  table(
    ['error code', 'meaning'],
    ErrorCode.anyOf.map((literal) => [code(literal.const), readDescription(literal)]),
  );

export const outcomes = (): string =>
  table(
    ['outcome', 'meaning'],
    Outcome.anyOf.map((literal) => [code(literal.const), readDescription(literal)]),
  );

export const row = (): string =>
  table(
    ['column', 'type', 'dashboards', 'meaning'],
    Object.entries(Vm.properties).map(([name, schema]) => [
      code(name),
      describeShape(schema),
      DASHBOARD_COLUMNS.includes(name) ? 'yes' : 'no',
      readDescription(schema),
    ]),
  );

const fieldTable = (heading: string, { properties }: TObject): string =>
  table(
    [heading, 'type', 'meaning'],
    Object.entries(properties).map(([name, schema]) => [
      code(name),
      describeShape(schema),
      readDescription(schema),
    ]),
  );

export const presence = (): string => fieldTable('presence', Presence);
export const delivery = (): string => fieldTable('delivery', Delivery);

export function closeCodes(): string {
  return table(
    ['code', 'reason', 'come back', 'meaning'],
    Object.values(CLOSE).map((close) => [
      String(close.code),
      close.reason,
      close.return,
      close.meaning,
    ]),
  );
}
