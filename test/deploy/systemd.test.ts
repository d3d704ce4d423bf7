// The units: systemd accepts them, they are as restricted as systemd can check, and their times
// fit.

import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { temporaryFolder } from '../helpers/process.js';
import { deployed, lacking, substituted } from './deployed.js';

const skip = lacking('systemd-analyze', '--version');
const SERVICES = ['lablink-gateway.service', 'lablink-backup.service'];

t.test('systemd finds no fault in them', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const here = { '/usr/bin/node': process.execPath, '/opt/lablink-gateway': process.cwd() };
  for (const name of SERVICES) {
    await writeFile(join(folder, name), await substituted(`systemd/${name}`, here));
  }
  await writeFile(
    join(folder, 'lablink-backup.timer'),
    await deployed('systemd/lablink-backup.timer'),
  );
  const units = [...SERVICES, 'lablink-backup.timer'].map((name) => join(folder, name));
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', ...units], {
    encoding: 'utf8',
  });
  t.equal(status, 0, stdout + stderr);
  t.equal(stdout + stderr, '');
});

t.test('nothing is open to them that they do not need', { skip }, async (t) => {
  for (const name of SERVICES) {
    const args = ['security', '--offline=true', '--threshold=20', `deploy/systemd/${name}`];
    const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    t.equal(status, 0, stdout);
  }
});

t.test('the gateway has the time to drain', async (t) => {
  const [, drain] = /^DRAIN_SECONDS=(\d+)$/m.exec(await deployed('systemd/gateway.env')) ?? [];
  const unit = await deployed('systemd/lablink-gateway.service');
  const [, stop] = /^TimeoutStopSec=(\d+)$/m.exec(unit) ?? [];
  t.ok(Number(stop) > Number(drain) + 5);
});

t.test('the crontab runs what the timer does', async (t) => {
  const unit = await deployed('systemd/lablink-backup.service');
  const [, command = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
  const [, inCron = ''] =
    /^0 2 \* \* \* cd \S+ && (.*)$/m.exec(await deployed('systemd/crontab')) ?? [];
  const withoutFolder = (text: string): string => text.replace(/--dir \S+/, '--dir');
  t.ok(command);
  t.equal(withoutFolder(inCron), withoutFolder(command));
});

t.test('systemd starts a gateway again, however often it ends', async (t) => {
  const unit = await deployed('systemd/lablink-gateway.service');
  const [section = ''] = /^\[Unit\]$[^[]*/m.exec(unit) ?? [];
  t.match(section, /^StartLimitIntervalSec=0$/m);
  t.match(unit, /^Restart=always$/m);
});

t.test('the owner removes old events, which gateways may not', async (t) => {
  const prune = 'node dist/main.js db prune --days 90';
  for (const file of ['systemd/lablink-backup.service', 'systemd/crontab'])
    t.match(await deployed(file), prune, file);
});
