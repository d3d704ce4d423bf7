// Named schemas of a document: each stands in the components once, and only there.

import t from 'tap';
import { nameSchemas, type NamedSchemas } from '../../src/protocol/name-schemas.js';

const Person = { title: 'Person', type: 'object', properties: { title: { type: 'string' } } };
const reference = { $ref: '#/components/schemas/Person' };

t.test('a schema with a title becomes a reference, at any depth', async (t) => {
  const schemas: NamedSchemas = {};
  const Team = { title: 'Team', properties: { lead: Person, all: [Person] } };
  t.same(nameSchemas({ items: Team, other: Person }, schemas), {
    items: { $ref: '#/components/schemas/Team' },
    other: reference,
  });
  t.same(schemas, {
    Person,
    Team: { title: 'Team', properties: { lead: reference, all: [reference] } },
  });
});

t.test('data in examples stays as it is', async (t) => {
  const schemas: NamedSchemas = {};
  const node = { examples: [{ title: 'Not Found' }], example: { title: 'Conflict' } };
  t.same(nameSchemas(node, schemas), node);
  t.same(schemas, {});
});

t.test('two schemas of one title are an error', async (t) => {
  const node = [Person, { ...Person, type: 'array' }];
  t.throws(() => nameSchemas(node, {}), /title Person/);
});
