// Generates values from a schema of the OpenAPI document: values that fit the schema, and values
// that a hostile or careless client might send instead.

import fc from 'fast-check';
import type { Schema } from './operations.js';

/** A few names that collide, so that requests find what other requests created. */
const NAMES = ['vm-1', 'vm-2', 'vm-3', 'ada@x.y', 'bob@x.y'];
/** A placeholder, replaced by the current assignment when the request is sent. */
export const CURRENT_ASSIGNMENT = '00000000-0000-4000-8000-000000000000';
/** Large enough to be rejected as a body and as a header. */
const HUGE = 'x'.repeat(70_000);

/** Texts that break careless parsers. */
const hostileText = fc.oneof(
  fc.constantFrom(
    ...['', ' ', '\0', 'a\0b', '\ud800', 'a\udfffb', '😀'.repeat(200), 'x'.repeat(300), '%', '%00'],
    ...[
      `'; DROP TABLE vms; --`,
      `' OR '1'='1`,
      '$1',
      '..',
      '.',
      '~.',
      '../../..',
      '{}',
      '[]',
      'null',
    ],
    ...['true', 'NaN', '1e3', '0x10', '-1', '1.5', '9007199254740993', '١', 'infinity', '\r\nX: 1'],
    ...[
      '1@2026-02-30T00:00:00',
      '1@-infinity',
      '2147483648',
      '__proto__',
      'a.1',
      `a.${'9'.repeat(20)}`,
    ],
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const hostile: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: hostileText },
  { weight: 1, arbitrary: fc.constant(HUGE) },
  { weight: 2, arbitrary: fc.constantFrom(null, true, 0, -1, 1.5, 1e300, [], {}, [null]) },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
);

/** Texts that fit no string of the document, frequent enough that each operation receives some. */
const misfit = fc.constantFrom('', 'a\0b', '\ud800', 'x'.repeat(300));

/** Generates values that fit the schema. */
export function valid(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(valid));
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'integer': {
      const [min, max] = [schema.minimum ?? 0, schema.maximum ?? Number.MAX_SAFE_INTEGER];
      return fc
        .oneof(fc.integer({ min, max: Math.min(max, min + 5) }), fc.maxSafeInteger())
        .map((value) => Math.min(Math.max(value, min), max));
    }
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'object':
      return validObject(schema);
    case 'array':
      return fc.array(schema.items === undefined ? fc.anything() : valid(schema.items), {
        minLength: schema.minItems ?? 0,
        maxLength: (schema.minItems ?? 0) + 3,
      });
    case 'string':
      return validText(schema);
    default:
      throw new Error(`no arbitrary for ${JSON.stringify(schema)}`);
  }
}

function validObject({ properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const members = Object.entries(properties).map(
    ([name, schema]) => [name, valid(schema)] as const,
  );
  return fc.record(Object.fromEntries(members), { requiredKeys: [...required] });
}

function validText({ pattern, maxLength = 255, description }: Schema): fc.Arbitrary<string> {
  const written = fc.string({ unit: 'grapheme', maxLength });
  const told = [...(description ?? '').matchAll(/`([\w-]+)`/g)].map(([, value]) => value ?? '');
  const known = fc.constantFrom(...NAMES, CURRENT_ASSIGNMENT, ...told);
  if (pattern === undefined) return fc.oneof({ weight: 4, arbitrary: known }, written);
  const fits = new RegExp(pattern, 'u');
  const likely = fc.oneof(
    { weight: 4, arbitrary: known },
    written,
    fc.uuid(),
    fc.nat().map(String),
    // As long as the one-time code of a link.
    fc.string({
      unit: fc.constantFrom('a', 'Z', '0', '9', '_', '-'),
      minLength: 43,
      maxLength: 43,
    }),
  );
  return likely.filter((text) => fits.test(text));
}

/**
 * Generates values that mostly do not fit the schema. An object has a broken member or an extra
 * member.
 */
export function broken(schema: Schema): fc.Arbitrary<unknown> {
  const { properties, type } = schema;
  if (type === 'string') return fc.oneof({ weight: 3, arbitrary: hostile }, misfit);
  if (properties === undefined) return hostile;
  const names = fc.constantFrom(...Object.keys(properties), 'more', '__proto__');
  const brokenMember = fc
    .tuple(valid(schema), names, hostile)
    .map(([value, name, member]) => ({ ...(value as object), [name]: member }));
  const lacking = fc.tuple(valid(schema), names).map(([value, name]) => {
    const members = Object.entries(value as object);
    return Object.fromEntries(members.filter(([member]) => member !== name));
  });
  return fc.oneof({ weight: 4, arbitrary: brokenMember }, lacking, hostile);
}

export const anyHostileText = hostileText;
