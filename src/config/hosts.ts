// The servers of a database: pairs the lists of hosts and ports as libpq does. Pure.

/** An address of a server: a host name, an address, or the folder of a Unix socket. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** Which of several servers is wanted; libpq's `target_session_attrs`. */
export const TARGET_SESSIONS = [
  'any',
  'read-write',
  'read-only',
  'primary',
  'standby',
  'prefer-standby',
] as const;
export type TargetSession = (typeof TARGET_SESSIONS)[number];

/**
 * Pairs each host with its port. A single port is for all hosts; an empty element has the default.
 * @param defaults for missing parts
 * @returns a string if the lists do not fit: the reason
 */
export function pairHosts(
  host: string | undefined,
  port: string | undefined,
  defaults: ServerAddress,
): readonly ServerAddress[] | string {
  const hosts = (host ?? '').split(',').map((name) => name.trim());
  const ports = (port ?? '').split(',').map((text) => text.trim());
  if (ports.length > 1 && ports.length !== hosts.length) {
    return `it has ${ports.length} ports for ${hosts.length} ${hosts.length === 1 ? 'host' : 'hosts'}`;
  }
  if (!ports.every((text) => text === '' || isPort(text))) {
    return 'its port must be from 1 to 65535';
  }
  return hosts.map((name, index) => {
    const own = (ports.length === 1 ? ports[0] : ports[index]) ?? '';
    return {
      host: name === '' ? defaults.host : name,
      port: own === '' ? defaults.port : Number(own),
    };
  });
}

const isPort = (text: string): boolean =>
  /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
