// A schema in the words of the protocol's document. Pure.

import { isDeepStrictEqual } from 'node:util';
import { Type, type TSchema } from 'typebox';
import { Delete, ErrorCode, PresenceChange, Upsert } from '../../src/protocol/messages.js';
import { Delivery, Outcome, Presence } from '../../src/protocol/presence.js';
import { DashboardVm, Vm } from '../../src/protocol/row.js';

/** Unions that the document has a name for. */
const NAMED_UNIONS: readonly [string, readonly TSchema[]][] = [
  ['row', [Vm, DashboardVm]],
  ['change', [Upsert, Delete, PresenceChange]],
  ['outcome', Outcome.anyOf],
  ['error code', ErrorCode.anyOf],
];

const NAMED_OBJECTS: readonly [string, TSchema][] = [
  ['presence', Presence],
  ['delivery', Delivery],
];

/** `integer or null`, `row[]`, `UUID?`; a question mark says that the field may be missing. */
export function describeShape(schema: TSchema): string {
  return `${describeRequired(schema)}${Type.IsOptional(schema) ? '?' : ''}`;
}

/** The value of a literal; undefined if the schema is none. */
export function readLiteral(schema: TSchema | undefined): string | undefined {
  return schema !== undefined && Type.IsLiteral(schema) ? String(schema.const) : undefined;
}

/** The description of a schema; empty if it has none. */
export function readDescription(schema: TSchema): string {
  return 'description' in schema ? String(schema.description) : '';
}

function describeRequired(schema: TSchema): string {
  if (Type.IsArray(schema)) return `${describeRequired(schema.items)}[]`;
  const named = NAMED_OBJECTS.find(([, object]) => isDeepStrictEqual(schema, object));
  if (named !== undefined) return named[0];
  if (Type.IsUnion(schema)) {
    const union = NAMED_UNIONS.find(([, variants]) => isDeepStrictEqual(schema.anyOf, variants));
    return union?.[0] ?? schema.anyOf.map(describeRequired).join(' or ');
  }
  if (Type.IsLiteral(schema)) return `"${String(schema.const)}"`;
  if (Type.IsString(schema) && 'pattern' in schema) return 'UUID';
  if ('type' in schema && typeof schema.type === 'string') return schema.type;
  throw new Error(`the document has no word for ${JSON.stringify(schema)}`);
}
