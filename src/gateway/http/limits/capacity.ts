// How many connections and sockets fit under the number of files that the process may open, with room kept for what
// else it opens. Running out of files would hurt everyone: the pool, LISTEN and each accept.

/** What is not a client: the pool, LISTEN, the listener, an embedded server's pipes, and Node's own. */
export const OTHER_FILES = 100;
/** Connections that are no sockets: handshakes under way, health checks, requests. A twentieth, within these. */
export const HTTP_SHARE = 0.05;
const MIN_HTTP_CONNECTIONS = 16;
const MAX_HTTP_CONNECTIONS = 1_000;

export interface Capacity {
  /** Connections of all kinds. */
  readonly connections: number;
  /** WebSockets among them. */
  readonly sockets: number;
}

/** @param openFiles the limit (RLIMIT_NOFILE); Infinity where there is none. */
export function computeCapacity(openFiles: number, maxSockets: number): Capacity {
  const connections = openFiles - Math.min(OTHER_FILES, Math.floor(openFiles / 2));
  const share = Math.ceil(connections * HTTP_SHARE);
  const forHttp = Math.min(Math.max(share, MIN_HTTP_CONNECTIONS), MAX_HTTP_CONNECTIONS);
  return { connections, sockets: Math.min(maxSockets, connections - forHttp) };
}

/** How many files the process may open; Infinity where the system has no such limit, or does not say. */
export function readOpenFilesLimit(): number {
  // Of the network it would look up the names of all peers; Node before 22 does not know the setting.
  Reflect.set(process.report, 'excludeNetwork', true);
  const report: unknown = process.report.getReport();
  const soft = readField(readField(readField(report, 'userLimits'), 'open_files'), 'soft');
  return typeof soft === 'number' ? soft : Infinity;
}

function readField(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined;
}
