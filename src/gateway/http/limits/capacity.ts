// Computes how many connections and sockets fit under the limit of open files, with room for the
// other files of the process. Without open files, queries, LISTEN and new connections would fail.

/**
 * Files that are not clients: the pool, LISTEN, the listener, the pipes of an embedded server, and
 * Node's own.
 */
export const OTHER_FILES = 100;
/**
 * The share of connections that are not sockets, such as handshakes, health checks and requests,
 * and its bounds.
 */
export const HTTP_SHARE = 0.05;
const MIN_HTTP_CONNECTIONS = 16;
const MAX_HTTP_CONNECTIONS = 1_000;

/** The limits of connections. */
export interface Capacity {
  /** All connections. */
  readonly connections: number;
  /** WebSockets among them. */
  readonly sockets: number;
}

/**
 * Computes the limits of connections.
 * @param openFiles the limit of open files (RLIMIT_NOFILE); Infinity without a limit
 */
export function computeCapacity(openFiles: number, maxSockets: number): Capacity {
  const connections = openFiles - Math.min(OTHER_FILES, Math.floor(openFiles / 2));
  const share = Math.ceil(connections * HTTP_SHARE);
  const forHttp = Math.min(Math.max(share, MIN_HTTP_CONNECTIONS), MAX_HTTP_CONNECTIONS);
  return { connections, sockets: Math.min(maxSockets, connections - forHttp) };
}

/** Reads how many files the process may open; Infinity if there is no limit, or it is unknown. */
export function readOpenFilesLimit(): number {
  // Without this setting the report would look up the names of all peers. Node before 22 ignores
  // it.
  Reflect.set(process.report, 'excludeNetwork', true);
  const report: unknown = process.report.getReport();
  const soft = readField(readField(readField(report, 'userLimits'), 'open_files'), 'soft');
  return typeof soft === 'number' ? soft : Infinity;
}

function readField(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined;
}
