// nginx and HAProxy with the configurations of deploy/proxy, on loopback, before gateways of a
// test.

import { chmod, readFile, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { connect as connectTcp } from 'node:net';
import type { ClientOptions } from 'ws';
import type { Teardown } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { run, type Program } from '../helpers/process.js';
import { connect, type RawClient } from '../helpers/raw-client.js';
import { until } from '../helpers/until.js';
import { makeSecrets, substituted } from './deployed.js';

export interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export class Proxy {
  constructor(
    readonly program: Program,
    readonly url: string,
    private readonly ca: string,
  ) {}

  /** The options with which a client checks its certificate. */
  get tls(): { readonly ca: string } {
    return { ca: this.ca };
  }

  /** A socket through it, whose certificate is checked. */
  connect(path: string, options: ClientOptions): Promise<RawClient> {
    return connect(this.url.replace('https', 'wss') + path, [], { ...options, ca: this.ca });
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      get(this.url + path, { ca: this.ca, headers, agent: false }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () => {
          resolve({ status: answer.statusCode, headers: answer.headers, text });
        });
      }).on('error', reject);
    });
  }
}

/** Starts a proxy before these gateways; `timeouts` are put in place of those in the file. */
export type StartProxy = (
  t: Teardown,
  gateways: readonly string[],
  timeouts?: Readonly<Record<string, string>>,
) => Promise<Proxy>;

const readAddress = (url: string): string => new URL(url).host;

export const startHaproxy: StartProxy = async (t, gateways, timeouts = {}) => {
  const folder = await makeSecrets(t);
  const [certificate, key] = await Promise.all(
    ['web.crt', 'web.key'].map((name) => readFile(join(folder, name), 'utf8')),
  );
  await writeFile(join(folder, 'web.pem'), `${certificate}${key}`);
  const port = await freePort();
  const [first = '', second = first] = gateways.map(readAddress);
  const file = await substituted('proxy/haproxy.cfg', {
    'bind :443': `bind 127.0.0.1:${port}`,
    '/etc/haproxy': folder,
    '10.0.1.11:8080': first,
    '10.0.1.12:8080': second,
    ...timeouts,
  });
  await writeFile(join(folder, 'haproxy.cfg'), file);
  const program = run(t, 'haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')]);
  return serving(program, port, join(folder, 'ca.crt'));
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
  const program = run(t, 'nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-g', here]);
  return serving(program, port, join(folder, 'ca.crt'));
};

async function serving(program: Program, port: number, caFile: string): Promise<Proxy> {
  let ended = false;
  void program.exited.then(() => (ended = true));
  await until('the proxy listens', () => {
    if (ended) throw new Error(program.stderr);
    return accepts(port);
  });
  return new Proxy(program, `https://localhost:${port}`, await readFile(caFile, 'utf8'));
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}
