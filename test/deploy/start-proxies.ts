// Each proxy with its configuration of deploy/proxy, on loopback, before gateways of a test. Only
// addresses, ports, paths and timeouts are replaced.

import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Teardown } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { run } from '../helpers/process.js';
import { makeSecrets, substituted } from './deployed.js';
import { Proxy } from './proxies.js';

/** Starts a proxy before these gateways; `timeouts` are put in place of those in the file. */
export type StartProxy = (
  t: Teardown,
  gateways: readonly string[],
  timeouts?: Readonly<Record<string, string>>,
) => Promise<Proxy>;

const readAddress = (url: string): string => new URL(url).host;
const readTwo = (gateways: readonly string[]): [first: string, second: string] => {
  const [first = '', second = first] = gateways.map(readAddress);
  return [first, second];
};
export const startHaproxy: StartProxy = async (t, gateways, timeouts = {}) => {
  const folder = await makeSecrets(t);
  const [certificate, key] = await Promise.all(
    ['web.crt', 'web.key'].map((name) => readFile(join(folder, name), 'utf8')),
  );
  await writeFile(join(folder, 'web.pem'), `${certificate}${key}`);
  const port = await freePort();
  const [first, second] = readTwo(gateways);
  const file = await substituted('proxy/haproxy.cfg', {
    'bind :443': `bind 127.0.0.1:${port}`,
    '/etc/haproxy': folder,
    '10.0.1.11:8080': first,
    '10.0.1.12:8080': second,
    ...timeouts,
  });
  await writeFile(join(folder, 'haproxy.cfg'), file);
  const args = ['-db', '-f', join(folder, 'haproxy.cfg')];
  const launch = () => run(t, 'haproxy', args);
  return Proxy.start(launch, `https://localhost:${port}`, join(folder, 'ca.crt'));
};

export const startNginx: StartProxy = async (t, gateways, timeouts = {}) => {
  const folder = await makeSecrets(t);
  await chmod(folder, 0o755); // Its workers are another user.
  const [port, plainPort] = [await freePort(), await freePort()];
  const file = await substituted('proxy/nginx.conf', {
    'listen 80': `listen 127.0.0.1:${plainPort}`,
    'listen 443': `listen 127.0.0.1:${port}`,
    '/etc/nginx/tls': folder,
    'server gateway:8080 fail_timeout=2s;': gateways
      .map((url) => `server ${readAddress(url)} fail_timeout=2s;`)
      .join('\n'),
    'http {': `http {
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;`,
    ...timeouts,
  });
  await writeFile(join(folder, 'nginx.conf'), file);
  const here = `daemon off; pid ${folder}/nginx.pid; error_log stderr;`;
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-g', here];
  const launch = () => run(t, 'nginx', args);
  return Proxy.start(launch, `https://localhost:${port}`, join(folder, 'ca.crt'));
};

const ALWAYS_ENABLED = ['mpm_event', 'authz_core'];

/** Apache's file is a site, so the modules that it names and the server around it are added. */
export const startApache: StartProxy = async (t, [gateway = ''], timeouts = {}) => {
  const folder = await makeSecrets(t);
  await chmod(folder, 0o755);
  const port = await freePort();
  const site = await substituted('proxy/apache.conf', {
    '<VirtualHost *:443>': `<VirtualHost 127.0.0.1:${port}>`,
    '/etc/apache2/tls': folder,
    '127.0.0.1:8080': readAddress(gateway),
    ...timeouts,
  });
  const [, named = ''] = /a2enmod ([a-z_ ]+)/.exec(site) ?? [];
  // As a2enmod does, with what the modules depend on.
  const modules = [...ALWAYS_ENABLED, 'proxy', 'socache_shmcb', ...named.trim().split(' ')];
  const around = [
    `ServerRoot ${folder}`,
    ...modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
    `ServerName localhost\nUser www-data\nGroup www-data\nPidFile ${folder}/apache.pid`,
    `DefaultRuntimeDir ${folder}\nErrorLog ${folder}/error.log\nListen 127.0.0.1:${port}\n`,
  ];
  await writeFile(join(folder, 'apache.conf'), around.join('\n') + site);
  const launch = () =>
    run(t, '/usr/sbin/apache2', ['-DFOREGROUND', '-f', join(folder, 'apache.conf')]);
  return Proxy.start(launch, `https://localhost:${port}`, join(folder, 'ca.crt'));
};
export const startCaddy: StartProxy = async (t, gateways, timeouts = {}) => {
  const folder = await makeSecrets(t);
  const [port, plainPort] = [await freePort(), await freePort()];
  const [first, second] = readTwo(gateways);
  const file = await substituted('proxy/Caddyfile', {
    'lablink.example.org {': `{\nadmin off\nhttp_port ${plainPort}\n}\nhttps://localhost:${port} {\nbind 127.0.0.1`,
    '/etc/caddy/tls': folder,
    // The same address twice would be an error.
    ' 10.0.1.12:8080': second === first ? '' : ` ${second}`,
    '10.0.1.11:8080': first,
    ...timeouts,
  });
  await writeFile(join(folder, 'Caddyfile'), file);
  const args = ['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')];
  const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const launch = () => run(t, 'caddy', args, { env });
  return Proxy.start(launch, `https://localhost:${port}`, join(folder, 'ca.crt'));
};

/** Varnish speaks no TLS. Its idle timeout is no part of the file but a parameter. */
export const startVarnish: StartProxy = async (t, [gateway = ''], timeouts = {}) => {
  const { pipe_timeout: pipeTimeout = '60', ...others } = timeouts;
  const folder = await makeSecrets(t);
  const file = await substituted('proxy/varnish.vcl', {
    '.port = "8080"': `.port = "${new URL(gateway).port}"`,
    ...others,
  });
  return startVarnishWith(t, file, folder, pipeTimeout);
};

/** Starts Varnish with this text of a VCL file. */
export async function startVarnishWith(
  t: Teardown,
  vcl: string,
  folder: string,
  pipeTimeout = '60',
): Promise<Proxy> {
  const port = await freePort();
  await writeFile(join(folder, 'own.vcl'), vcl);
  const launch = () =>
    run(t, 'varnishd', [
      ...['-F', '-j', 'none', '-n', join(folder, 'varnish'), '-f', join(folder, 'own.vcl')],
      ...['-a', `127.0.0.1:${port}`, '-T', 'none', '-s', 'malloc,16m'],
      ...['-p', `pipe_timeout=${pipeTimeout}`, '-p', 'thread_pools=1', '-p', 'thread_pool_min=20'],
    ]);
  return Proxy.start(launch, `http://localhost:${port}`, join(folder, 'ca.crt'));
}
