// All settings in the files of deploy/ are settings of the program, and its configuration accepts
// their values. The commands in the files exist, with their options.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { createDbCommand } from '../../src/cli/db/db.js';
import { loadConfig, VARIABLES, type Config } from '../../src/config/load.js';
import { runCommand } from '../helpers/process.js';
import { deployed, makeSecrets } from './deployed.js';

type Values = Readonly<Record<string, string>>;

/** The variables that each file sets for a program of ours. */
async function environments(): Promise<Map<string, Values>> {
  const compose = parse(await deployed('compose.yaml'), { merge: true }) as {
    services: Record<string, { image?: string; environment?: Values }>;
  };
  const ours = Object.entries(compose.services).filter(
    ([, { image }]) => image === 'lablink-gateway',
  );
  const lines = (text: string): Values =>
    Object.fromEntries(
      [...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
    );
  const unit = (text: string): Values =>
    lines(
      [...text.matchAll(/^Environment=(?:"(.*)"|(.*))$/gm)]
        .map(([, quoted, plain = '']) => quoted ?? plain.replaceAll(' ', '\n'))
        .join('\n'),
    );
  const { configMapGenerator } = parse(await deployed('kubernetes/base/kustomization.yaml')) as {
    configMapGenerator: [{ literals: string[] }];
  };
  const pod = (text: string): Values =>
    Object.fromEntries(
      [...text.matchAll(/- name: ([A-Z_]+)\n +value: (.*)$/gm)].map(([, name = '', value = '']) => [
        name,
        value,
      ]),
    );
  return new Map([
    ...ours.map(([name, { environment = {} }]) => [`compose: ${name}`, environment] as const),
    [
      'systemd: gateway',
      {
        ...lines(await deployed('systemd/gateway.env')),
        ...unit(await deployed('systemd/lablink-gateway.service')),
      },
    ],
    ['systemd: backup', unit(await deployed('systemd/lablink-backup.service'))],
    ['cron', lines(await deployed('systemd/crontab'))],
    [
      'kubernetes',
      {
        ...lines(configMapGenerator[0].literals.join('\n')),
        ...pod(await deployed('kubernetes/base/deployment.yaml')),
      },
    ],
    ['kubernetes: migrate', pod(await deployed('kubernetes/migrate.yaml'))],
  ]);
}

/**
 * The value as the program is given it there: secrets and certificates where this test has them.
 */
const asGiven = (secrets: string, value: string): string =>
  value
    .replace('${QUERIES_TO:-postgres:5432}', 'postgres:5432')
    .replaceAll(/[^=]*\/(?:ca(?:\.crt)?)$/g, join(secrets, 'ca.crt'))
    .replace(/^.*\/(jwt|owner|gateway)[-_](secret|password)$/, `${secrets}/$1_$2`);

t.test('every setting is one of the program, and is taken', async (t) => {
  const secrets = await makeSecrets(t);
  const names = VARIABLES.flatMap(({ name, about }) =>
    about.secret ? [name, `${name}_FILE`] : [name],
  );
  const all = await environments();
  const configs = new Map<string, Config>();
  for (const [where, values] of all) {
    t.same(
      Object.keys(values).filter((name) => !names.includes(name)),
      [],
      where,
    );
    const given = Object.entries(values).map(([name, value]) => [name, asGiven(secrets, value)]);
    configs.set(where, loadConfig(Object.fromEntries(given) as Values));
  }
  for (const [where, { database, migrate, trustProxy, jwtSecrets }] of configs) {
    t.match(database, { database: 'lablink_db', password: /^[0-9a-f]{48}$/ }, where);
    t.match(database?.ssl, { ca: /BEGIN CERTIFICATE/ }, `${where}: the certificate is checked`);
    const isGateway = database?.user === 'lablink_gateway';
    t.equal(migrate === 'check', isGateway, `${where}: only the owner migrates`);
    t.equal(jwtSecrets.length === 1, isGateway, `${where}: only a gateway signs`);
    if (isGateway) t.not(trustProxy, false, `${where}: the proxy is believed`);
  }
  t.equal(configs.size, 8);
});

/** Every text below deploy/ that may name a command. */
async function texts(): Promise<string[]> {
  const files = await readdir('deploy', { recursive: true, withFileTypes: true });
  return Promise.all(
    files
      .filter((file) => file.isFile() && !/\.(json|crt|key)$/.test(file.name))
      .filter(({ parentPath }) => !/secrets|agent/.test(parentPath))
      .map(({ parentPath, name }) => readFile(join(parentPath, name), 'utf8')),
  );
}

t.test('every command is one of the program, with its options', async (t) => {
  const used = new Map<string, Set<string>>();
  for (const text of await texts()) {
    const joined = text.replaceAll(/\\\n\s*/g, '');
    for (const [, command = '', rest = ''] of joined.matchAll(
      /(?:lablink-gateway|dist\/main\.js) ((?:db )?[a-z][a-z-]*)\b([^\n|&;`#)]*)/g,
    )) {
      const options = [...rest.matchAll(/(?<= )--[a-z-]+/g)].map(([option]) => option);
      used.set(command, new Set([...(used.get(command) ?? []), ...options]));
    }
  }
  t.ok(used.size > 3, [...used.keys()].join(', '));
  const commands = createDbCommand().commands;
  for (const [name, options] of used) {
    const command = commands.find((one) => `db ${one.name()}` === name);
    const help = command?.helpInformation() ?? (await readHelp(t, name));
    for (const option of options) t.match(help, new RegExp(`${option}\\b`), `${name} ${option}`);
  }
});

/** Arguments that are no subcommand of `db`. */
async function readHelp(t: Test, name: string): Promise<string> {
  const program = runCommand(t, [...name.split(' '), '--help'], {});
  t.match(await program.exited, { code: 0 }, name);
  t.match(program.stdout, `Usage: lablink-gateway ${name}`);
  return program.stdout;
}
