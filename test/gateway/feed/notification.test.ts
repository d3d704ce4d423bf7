// Payloads as the triggers send them, and as any role that may connect to the database could.

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import {
  parseInvalidation,
  parseRow,
  type ParsedNotification,
} from '../../../src/gateway/feed/notification.js';

const rejected = (reason: string, hostname?: string): unknown => ({
  kind: 'rejected',
  reason,
  hostname,
});

/** PostgreSQL refuses a payload of 8,000 bytes or more. */
const LONGEST = 7_999;

t.test('a row is parsed, and its text is kept as it arrived', async (t) => {
  const payload =
    '{"id":1,"hostname":"vm \\"1\\" 🧪","email":null,"status":"in-use","crd_command":"echo \\"\\u00e9\\"",' +
    '"created_at":"2025-01-15T10:30:00","updated_at":"2025-01-15T10:35:00","version":7,"assignment_id":null , "gpu":{"n":[1.50]}}';
  t.same(parseRow(payload), {
    kind: 'row',
    row: {
      ...{ hostname: 'vm "1" 🧪', version: 7, status: 'in-use', assignmentId: null },
      row: payload,
    },
  });
});

t.test('an unknown status is passed on', async (t) => {
  const payload = '{"hostname":"a","version":1,"status":"re\\tbooting"}';
  t.match(parseRow(payload), { kind: 'row', row: { status: 're\tbooting', row: payload } });
});

t.test('an invalidation names the row to read, or all of them', async (t) => {
  t.same(parseInvalidation('{"op":"read","hostname":"a/b"}'), { kind: 'read', hostname: 'a/b' });
  t.same(parseInvalidation('{"op":"read","hostname":""}'), { kind: 'read', hostname: '' });
  t.same(parseInvalidation('{"op":"read"}'), { kind: 'read-all' });
});

const depth = Math.floor(LONGEST / 2);
const notJson: Record<string, string> = {
  'an empty payload': '',
  words: 'hello',
  'a row that was cut': '{"hostname":"a","version":1,',
  'two rows': '{"hostname":"a"}{"hostname":"b"}',
  'single quotes': "{'hostname':'a'}",
  'an open array, nested as deep as a payload allows': '['.repeat(LONGEST),
  'open objects, nested as deep as a payload allows': '{"a":'.repeat(1_599),
};
const notAnObject: Record<string, string> = {
  null: 'null',
  'a number': '42',
  'a number beyond all bounds': '1e999',
  'a string': '"hostname"',
  'a boolean': 'true',
  'an array': '[{"hostname":"a","version":1,"status":"available"}]',
  'an array nested as deep as a payload allows': '['.repeat(depth) + ']'.repeat(depth),
};

t.test('a payload that is no JSON object is rejected on both channels', async (t) => {
  for (const parse of [parseRow, parseInvalidation]) {
    for (const [what, payload] of Object.entries(notJson)) {
      t.same(parse(payload), rejected('not_json'), what);
    }
    for (const [what, payload] of Object.entries(notAnObject)) {
      t.same(parse(payload), rejected('not_an_object'), what);
    }
  }
});

t.test('a row without a valid hostname is rejected', async (t) => {
  for (const hostname of ['', '"hostname":null,', '"hostname":5,', '"hostname":["a"],']) {
    const payload = `{${hostname}"version":1,"status":"available"}`;
    t.same(parseRow(payload), rejected('no_hostname'), payload);
  }
  const withNul = '{"hostname":"a\\u0000","version":1,"status":"available"}';
  t.same(parseRow(withNul), rejected('no_hostname'), 'no text of PostgreSQL holds a NUL');
});

t.test('a row with an invalid version is rejected, with its hostname', async (t) => {
  const absurd = [
    '-1',
    '-1e300',
    '1.5',
    '1e300',
    '1e999',
    '9007199254740992',
    '"7"',
    'null',
    '[]',
    '{}',
    'true',
  ];
  for (const version of absurd) {
    const payload = `{"hostname":"a","version":${version},"status":"available"}`;
    t.same(parseRow(payload), rejected('bad_version', 'a'), version);
  }
  t.same(parseRow('{"hostname":"a","status":"available"}'), rejected('bad_version', 'a'));
  for (const version of [0, 1, 9_007_199_254_740_991]) {
    const payload = `{"hostname":"a","version":${version},"status":"available"}`;
    t.match(parseRow(payload), { kind: 'row', row: { version } }, `${version} is not absurd`);
  }
});

t.test('a row without a status is rejected, with its hostname', async (t) => {
  for (const status of ['', ',"status":null', ',"status":1', ',"status":{}']) {
    const payload = `{"hostname":"a","version":1${status}}`;
    t.same(parseRow(payload), rejected('bad_status', 'a'), payload);
  }
});

t.test('an unknown invalidation is rejected, with its hostname', async (t) => {
  t.same(parseInvalidation('{}'), rejected('unknown_op'));
  t.same(parseInvalidation('{"hostname":"a"}'), rejected('unknown_op', 'a'));
  t.same(parseInvalidation('{"op":"drop","hostname":"a"}'), rejected('unknown_op', 'a'));
  t.same(parseInvalidation('{"op":["read"],"hostname":7}'), rejected('unknown_op'));
  t.same(parseInvalidation('{"op":"drop","hostname":"\\u0000"}'), rejected('unknown_op'));
});

t.test('an invalidation with an invalid hostname does not mean all rows', async (t) => {
  for (const hostname of ['null', '5', '[]', '{}', '"\\u0000"']) {
    t.same(
      parseInvalidation(`{"op":"read","hostname":${hostname}}`),
      rejected('no_hostname'),
      hostname,
    );
  }
});

t.test('keys with a meaning in JavaScript have none here', async (t) => {
  const inherited = '{"hostname":"a","version":1,"status":"available"}';
  t.same(parseRow(`{"__proto__":${inherited}}`), rejected('no_hostname'));
  t.same(parseRow(`{"constructor":{"prototype":${inherited}}}`), rejected('no_hostname'));
  t.same(parseInvalidation('{"__proto__":{"op":"read"}}'), rejected('unknown_op'));
  t.equal(Reflect.get({}, 'hostname'), undefined);
  t.match(parseRow('{"__proto__":null,"hostname":"a","version":1,"status":"available"}'), {
    kind: 'row',
  });
  t.match(parseRow('{"hostname":"__proto__","version":1,"status":"toString"}'), {
    row: { hostname: '__proto__', status: 'toString' },
  });
});

t.test('the last of two equal keys counts, as for every reader of the text', async (t) => {
  const payload =
    '{"hostname":"a","hostname":"b","version":1,"version":2,"status":"x","status":"y"}';
  t.same(parseRow(payload), {
    kind: 'row',
    row: { hostname: 'b', version: 2, status: 'y', assignmentId: null, row: payload },
  });
  t.same(parseRow('{"hostname":"a","hostname":1}'), rejected('no_hostname'));
});

t.test('deep nesting inside a row is harmless', async (t) => {
  const start = '{"hostname":"a","version":1,"status":"available","deep":';
  const levels = Math.floor((LONGEST - start.length - 1) / 2);
  const payload = `${start}${'['.repeat(levels)}${']'.repeat(levels)}}`;
  t.ok(payload.length <= LONGEST);
  t.match(parseRow(payload), { kind: 'row', row: { row: payload } });
});

/** Values that look almost like a payload, and values that do not. */
const value = fc.oneof(fc.jsonValue(), fc.constantFrom('read', 'a', 1, 2 ** 53, -1, '\0'));
const almost = fc.dictionary(
  fc.constantFrom('hostname', 'version', 'status', 'op', '__proto__', 'toString'),
  value,
);
const payload = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.json(),
  almost.map((object) => JSON.stringify(object)),
  almost.map((object) => JSON.stringify(object).slice(0, -1)),
);

/** Whether the result agrees with its payload, and its hostname is one that a row can have. */
function consistent(parsed: ParsedNotification, payload: string): boolean {
  switch (parsed.kind) {
    case 'row': {
      const { row, assignmentId, ...understood } = parsed.row;
      const said = JSON.parse(payload) as { readonly assignment_id?: unknown };
      const whole = { ...said, ...understood };
      const { assignment_id: id } = said;
      const same = assignmentId === (typeof id === 'string' ? id : null);
      return row === payload && same && isDeepStrictEqual(whole, said);
    }
    case 'read':
      return !parsed.hostname.includes('\0');
    case 'read-all':
      return true;
    case 'rejected':
      return parsed.hostname?.includes('\0') !== true;
  }
}

t.test('no payload makes the parsers throw, and their result agrees with it', async (t) => {
  fc.assert(
    fc.property(
      payload,
      (text) => consistent(parseRow(text), text) && consistent(parseInvalidation(text), text),
    ),
    { numRuns: 5_000 },
  );
  t.pass();
});
