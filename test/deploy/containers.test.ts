// compose.yaml and the Dockerfiles: sound to the tools that read them, true to the files beside
// them, and without secrets.

import { spawnSync } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { deployed, lacking, makeSecrets } from './deployed.js';

interface Service {
  readonly image?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly ports?: readonly string[];
  readonly stop_grace_period?: string;
  readonly mem_limit?: string;
  readonly logging?: { readonly options: Readonly<Record<string, string>> };
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly networks: { readonly database: { ipam: { config: [{ subnet: string }] } } };
}

const compose = parse(await deployed('compose.yaml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);

/**
 * Its rules of taste are left out, and the one that forbids to publish a port to the world: nginx
 * is for the world.
 */
const DCLINT = [
  'no-quotes-in-volumes',
  'no-unbound-port-interfaces',
  'require-project-name-field',
  'service-keys-order',
  'services-alphabetical-order',
].flatMap((rule) => ['--disable-rule', rule]);

t.test('the linters have nothing to say', async (t) => {
  const lint = (program: string, ...args: string[]): void => {
    const { status, stdout, stderr } = spawnSync(`node_modules/.bin/${program}`, args, {
      encoding: 'utf8',
    });
    t.equal(status, 0, `${program}: ${stdout}${stderr}`);
  };
  lint('dclint', 'deploy/compose.yaml', '--max-warnings', '0', ...DCLINT);
  lint('dockerfilelint', 'deploy/Dockerfile', 'deploy/pgbouncer/Dockerfile');
});

t.test(
  'docker-compose reads it, with every profile',
  { skip: lacking('docker-compose') },
  async (t) => {
    const args = ['-f', 'deploy/compose.yaml', '--profile', 'pgbouncer', 'config', '-q'];
    const { status, stderr } = spawnSync('docker-compose', args, { encoding: 'utf8' });
    t.equal(status, 0, stderr);
  },
);

t.test('every file that it mounts is there, once make-secrets.sh has run', async (t) => {
  const secrets = await makeSecrets(t);
  const mounted = services
    .flatMap(([, { volumes = [] }]) => volumes)
    .map((volume) => volume.split(':')[0] ?? '')
    .filter((source) => source.startsWith('./'));
  const named = Object.values(compose.secrets).map(({ file }) => file);
  t.ok(mounted.length > 5 && named.length > 5);
  for (const path of [...mounted, ...named]) {
    const [, secret] = /^\.\/secrets\/(.*)$/.exec(path) ?? [];
    await t.resolves(access(secret === undefined ? join('deploy', path) : join(secrets, secret)));
  }
});

t.test('no secret is in an environment, and each service has no more than it needs', async (t) => {
  for (const [name, { environment = {}, secrets = [] }] of services) {
    for (const [variable, value] of Object.entries(environment)) {
      if (!/PASSWORD|SECRET|KEY/.test(variable)) continue;
      const [, secret = ''] = /^\/run\/secrets\/(.+)$/.exec(value) ?? [];
      t.match(variable, /_FILE$/, `${name}: ${variable}`);
      t.ok(secrets.includes(secret), `${name} has ${secret}`);
    }
    t.notMatch(JSON.stringify(environment), /:\/\/[^/@]*:[^/@]*@/, `${name}: no password in a URL`);
  }
  t.same(compose.services.gateway?.secrets, ['ca', 'gateway_password', 'jwt_secret']);
});

t.test('no service takes the memory or the disk of the others', async (t) => {
  for (const [name, { mem_limit, logging }] of services) {
    t.match(mem_limit, /^\d+[mg]$/, name);
    t.match(logging?.options, { 'max-size': /^\d+m$/, 'max-file': /^\d$/ }, name);
  }
});

t.test('PgBouncer tries a server again sooner than a gateway gives up', async (t) => {
  const settings = await deployed('pgbouncer/pgbouncer.ini');
  const read = (name: string): number =>
    Number(new RegExp(`^${name} = (\\d+)$`, 'm').exec(settings)?.[1]);
  t.ok(read('server_login_retry') * 5 < read('query_wait_timeout'));
});

t.test('only nginx is open to the world; the database is where pg_hba.conf says', async (t) => {
  const open = services.filter(([, { ports = [] }]) => ports.length > 0).map(([name]) => name);
  t.same(open, ['nginx']);
  t.same(compose.services.postgres?.networks, ['database']);
  const [{ subnet }] = compose.networks.database.ipam.config;
  t.match(await deployed('postgres/pg_hba.conf'), `lablink_gateway   ${subnet}`);
});

t.test('a gateway has the time to drain', async (t) => {
  const { environment, stop_grace_period } = compose.services.gateway ?? {};
  t.ok(Number.parseInt(stop_grace_period ?? '') > Number(environment?.DRAIN_SECONDS) + 5);
});

t.test('what the image is made of is there, and .dockerignore lets it in', async (t) => {
  const copied = [...(await deployed('Dockerfile')).matchAll(/^COPY (?!--from)(.*) \S+$/gm)]
    .flatMap(([, sources = '']) => sources.split(' '))
    .map((source) => normalize(source));
  t.ok(copied.length > 5);
  const ignore = (await deployed('Dockerfile.dockerignore')).split('\n');
  const admitted = ignore.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  for (const source of copied) {
    await t.resolves(access(source), source);
    t.ok(admitted.includes(source), `${source} is let in`);
  }
  t.same(
    admitted.filter((path) => !copied.includes(path)),
    [],
    'and nothing else is',
  );
});

t.test('the image has what its commands call', async (t) => {
  const dockerfile = await deployed('Dockerfile');
  const { bin, engines } = JSON.parse(await readFile('package.json', 'utf8')) as {
    bin: Record<string, string>;
    engines: { node: string };
  };
  t.match(dockerfile, `ln -s /app/${bin['lablink-gateway']} /usr/local/bin/lablink-gateway`);
  const [, major] = /^FROM node:(\d+)-/m.exec(dockerfile) ?? [];
  t.ok(Number(major) >= Number.parseInt(engines.node.replace('>=', '')));
  const [, client] = /postgresql-client-(\d+)/.exec(dockerfile) ?? [];
  const [, server] = /^postgres:(\d+)$/.exec(compose.services.postgres?.image ?? '') ?? [];
  t.ok(Number(client) >= Number(server), 'pg_dump is as new as the server');
});
