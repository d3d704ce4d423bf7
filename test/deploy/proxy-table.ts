// The proxies that deploy/proxy has a file for, and how a test shortens the idle timeouts.

import { lacking } from './deployed.js';
import {
  startApache,
  startCaddy,
  startHaproxy,
  startNginx,
  startVarnish,
  type StartProxy,
} from './start-proxies.js';

export interface ProxyCase {
  readonly name: string;
  readonly start: StartProxy;
  readonly file: string;
  /** For a test's `skip`: false where the program is there. */
  readonly skip: string | false;
  /** All idle timeouts as the file has them, and a short one; undefined if the proxy has none. */
  readonly timeouts: Readonly<Record<string, string>> | undefined;
  /** Finds the seconds of each timeout of a connection in the file, and how many there are. */
  readonly limits: { readonly pattern: RegExp; readonly count: number };
}

/**
 * So long that a machine may stand still for seconds, and neither the proxy nor the gateway takes
 * the other for dead.
 */
export const TIMEOUT_MS = 8_000;

export const PROXIES: readonly ProxyCase[] = [
  {
    name: 'nginx',
    start: startNginx,
    file: 'proxy/nginx.conf',
    skip: lacking('nginx'),
    timeouts: { 'proxy_read_timeout 90s': 'proxy_read_timeout 8s' },
    limits: { pattern: /(?:read_|send_)\S* (\d+)s/g, count: 2 },
  },
  {
    name: 'haproxy',
    start: startHaproxy,
    file: 'proxy/haproxy.cfg',
    skip: lacking('haproxy'),
    timeouts: { 'timeout tunnel 90s': 'timeout tunnel 8s' },
    limits: { pattern: /timeout (?:client|server|tunnel) (\d+)s/g, count: 3 },
  },
  {
    name: 'apache',
    start: startApache,
    file: 'proxy/apache.conf',
    skip: lacking('/usr/sbin/apache2'),
    // A tunnel has the longer of this and of `Timeout`, which is 60 s.
    timeouts: { ' timeout=90': ' timeout=8', 'SSLEngine on': 'SSLEngine on\nTimeout 8' },
    limits: { pattern: / timeout=(\d+)/g, count: 1 },
  },
  {
    name: 'caddy',
    start: startCaddy,
    file: 'proxy/Caddyfile',
    skip: lacking('caddy', 'version'),
    timeouts: undefined,
    limits: { pattern: /(?:read|write|header)_timeout (\d+)s/g, count: 0 },
  },
  {
    name: 'varnish',
    start: startVarnish,
    file: 'proxy/varnish.vcl',
    skip: lacking('/usr/sbin/varnishd', '-V'),
    timeouts: { pipe_timeout: '8' },
    limits: { pattern: /first_byte_timeout = (\d+)s/g, count: 1 },
  },
];
