import fc from 'fast-check';
import t from 'tap';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';
import { createColumnFilter, createRowProjector } from '../../../src/gateway/hub/projection.js';
import { vmRow } from './rows.js';

const project = (row: string, columns: readonly string[]) => createColumnFilter(columns)(row);

t.test('a dashboard sees only the allowed columns, in the order of the list', async (t) => {
  const row = '{"id":1,"hostname":"a","crd_command":"secret","email":null}';
  t.equal(project(row, ['email', 'hostname', 'id']), '{"email":null,"hostname":"a","id":1}');
});

t.test('a column the row lacks is left out', async (t) => {
  t.equal(project('{"id":1}', ['id', 'hostname', '']), '{"id":1}');
  t.equal(project('{}', ['id', '']), '{}');
});

t.test('members keep their text', async (t) => {
  const row =
    '{"big":9007199254740993,"money":1.10,"list":[1, {"id":2}],"text":"\\u00e9 \\"id\\":3"}';
  t.equal(project(row, ['big', 'money', 'list', 'text']), row);
  t.equal(project('{ "a" : 1 ,\n "b" : [ ] }', ['b', 'a']), '{\n "b" : [ ] , "a" : 1 }');
});

t.test('names inside values are not columns', async (t) => {
  const row =
    '{"note":"\\\\\\",\\"email\\":\\"x","deep":{"email":"y","crd_command":[":",","]},"id":1}';
  t.equal(project(row, ['email', 'crd_command', 'id']), '{"id":1}');
});

t.test('nesting has no maximum depth', async (t) => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  t.equal(project(`{"crd_command":${deep},"deep":${deep}}`, ['deep']), `{"deep":${deep}}`);
});

t.test('invalid JSON throws an error', async (t) => {
  t.throws(() => project('{"id":"', ['id']), SyntaxError);
});

t.test('property: the shown values are those of the row', async (t) => {
  const columns = ['id', 'email', 'a"b', 'é', '__proto__', '\\'];
  const name = fc.oneof(fc.constantFrom(...columns), fc.string());
  const property = fc.property(
    fc.dictionary(name, fc.jsonValue()),
    fc.constantFrom(0, 2),
    (row, indent) => {
      const values = new Map(Object.entries(row));
      const expected = columns
        .filter((column) => values.has(column))
        .map((column): [string, unknown] => [column, values.get(column)]);
      const got: unknown = JSON.parse(project(JSON.stringify(row, null, indent), columns));
      return JSON.stringify(got) === JSON.stringify(Object.fromEntries(expected));
    },
  );
  t.doesNotThrow(() => fc.assert(property));
});

t.test('an admin sees the original row; a dashboard a reduced text, made once', async (t) => {
  const projectRow = createRowProjector(['hostname']);
  const entry = new Fleet('e', 10).upsert(vmRow('a', 1));
  t.equal(projectRow(entry, 'full'), entry.row);
  t.equal(entry.dashboardRow, undefined, 'not made for an admin');
  t.equal(projectRow(entry, 'dashboard'), '{"hostname":"a"}');
  entry.dashboardRow = 'kept';
  t.equal(projectRow(entry, 'dashboard'), 'kept');
});
