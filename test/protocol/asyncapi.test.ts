// The AsyncAPI document is valid, and agrees with the schemas, the close codes and the README of
// the protocol.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import t from 'tap';
import { createAsyncApiDocument } from '../../src/protocol/asyncapi.js';
import { CLOSE } from '../../src/protocol/close-codes.js';
import { ClientMessage, ServerMessage } from '../../src/protocol/messages.js';
import { deref, listMessages, type Document } from '../helpers/asyncapi.js';

const document = JSON.parse(JSON.stringify(createAsyncApiDocument())) as Document;

t.test('the document is valid by the schema of AsyncAPI 3.0', async (t) => {
  const load = createRequire(import.meta.url);
  const schema = load('@asyncapi/specs/schemas/3.0.0.json') as object;
  // The schema contains its own meta-schema.
  const ajv = new Ajv({ strict: false, meta: false, validateSchema: false });
  formats.default(ajv);
  const validate = ajv.compile(schema);
  t.equal(validate(document), true, JSON.stringify(validate.errors));
  t.equal(validate({ ...document, servers: 'none' }), false, 'the schema is in force');
});

t.test('every reference has a target', async (t) => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)];
  t.ok(references.length > 50);
  for (const [, to = ''] of references) t.type(deref(document, to), 'object', to);
});

t.test(
  'the document has exactly the messages of the protocol, each in its direction',
  async (t) => {
    const listTypes = ({ anyOf }: typeof ServerMessage | typeof ClientMessage): string[] =>
      anyOf.map(({ properties }) => properties.type.const).sort();
    const types = (action: 'send' | 'receive'): string[] => {
      const messages = ['vm', 'fleet'].flatMap((name) =>
        listMessages(document, `${name}.${action}`),
      );
      return [...new Set(messages.map(({ type }) => type))].sort();
    };
    t.same(types('send'), listTypes(ServerMessage));
    t.same(types('receive'), listTypes(ClientMessage));
    const used = Object.values(document.channels).flatMap(({ messages }) => Object.keys(messages));
    t.same([...new Set(used)].sort(), Object.keys(document.components.messages).sort());
  },
);

t.test('the document has every close code', async (t) => {
  t.same(document['x-close-codes'], Object.values(CLOSE));
});

t.test('the summary of each message is the same as in the README', async (t) => {
  const readme = await readFile('src/protocol/README.md', 'utf8');
  for (const { type, summary } of [
    ...listMessages(document, 'vm.send'),
    ...listMessages(document, 'fleet.send'),
    ...listMessages(document, 'vm.receive'),
  ]) {
    const rows = readme.split('\n').filter((line) => line.startsWith(`| \`${type}\` `));
    t.ok(
      rows.some((row) => row.includes(`| ${summary} `)),
      `${type}: ${summary}`,
    );
  }
});
