// The Terraform files: they parse, every name they refer to is there, and the database is what the
// guide asks of one.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readdir } from 'node:fs/promises';
import t from 'tap';
import { deployed, lacking } from './deployed.js';

type Blocks = Readonly<Record<string, Readonly<Record<string, readonly Body[]>>>>;
type Body = Readonly<Record<string, unknown>>;

/** Required, because its types would bring those of browsers into the whole program. */
const { parse } = createRequire(import.meta.url)('@cdktn/hcl2json') as {
  parse: (name: string, source: string) => Promise<unknown>;
};

interface Module {
  readonly resource?: Blocks;
  readonly variable?: Readonly<Record<string, readonly Body[]>>;
}

/** All files of a folder, as one text. */
async function readSource(folder: string): Promise<string> {
  const names = (await readdir(`deploy/${folder}`)).filter((name) => name.endsWith('.tf'));
  return (await Promise.all(names.map((name) => deployed(`${folder}/${name}`)))).join('\n');
}

const read = async (source: string): Promise<Module> => (await parse('x.tf', source)) as Module;

for (const folder of ['terraform', 'proxy']) {
  t.test(`${folder}: every reference leads to what is declared`, async (t) => {
    const source = await readSource(folder);
    const { variable = {}, resource = {} } = await read(source);
    const code = source.replace(/^\s*#.*$/gm, '');
    const variables = new Set([...code.matchAll(/\bvar\.(\w+)/g)].map(([, name]) => name));
    t.same([...variables].sort(), Object.keys(variable).sort(), 'and no variable is unused');
    const references = [...code.matchAll(/\b(aws_\w+)\.(\w+)\./g)];
    t.ok(references.length > 0);
    for (const [, type = '', name = ''] of references) {
      t.ok(resource[type]?.[name], `${type}.${name}`);
    }
  });
}

t.test('the database is encrypted, kept, and its password nowhere', async (t) => {
  const { resource = {} } = await read(await readSource('terraform'));
  const only = (type: string): Body => Object.values(resource[type] ?? {})[0]?.[0] ?? {};
  t.match(only('aws_db_instance'), {
    engine: 'postgres',
    db_name: 'lablink_db',
    username: 'lablink',
    manage_master_user_password: true,
    storage_encrypted: true,
    publicly_accessible: false,
    multi_az: '${var.multi_az}',
    backup_retention_period: 7,
    deletion_protection: true,
    skip_final_snapshot: false,
  });
  t.notHas(only('aws_db_instance'), { password: '' });
  t.equal(
    only('aws_db_parameter_group').family,
    `postgres${String(only('aws_db_instance').engine_version)}`,
  );
  t.match(only('aws_db_parameter_group').parameter, [{ name: 'rds.force_ssl', value: '1' }]);
  t.match(only('aws_vpc_security_group_ingress_rule'), {
    referenced_security_group_id: '${var.gateway_security_group_id}',
    from_port: 5432,
    to_port: 5432,
  });
});

t.test('the load balancer lets a quiet socket live', async (t) => {
  const { resource = {} } = await read(await deployed('proxy/alb.tf'));
  t.ok(Number(resource.aws_lb?.lablink?.[0]?.idle_timeout) > 60);
});

t.test('what is no HCL is refused', async (t) => {
  await t.rejects(parse('x.tf', 'resource "a" {'), /Unclosed/);
});

t.test('formatted as terraform fmt does', { skip: lacking('terraform', 'version') }, async (t) => {
  for (const path of ['deploy/terraform', 'deploy/proxy/alb.tf']) {
    const { status, stdout, stderr } = spawnSync('terraform', ['fmt', '-check', '-diff', path], {
      encoding: 'utf8',
    });
    t.equal(status, 0, stdout + stderr);
  }
});
