// A gateway and a database that exist already. The load test reads the gateway's resources from its
// metrics, and cannot restart it.

import type pg from 'pg';
import { vmPath } from '../protocol/paths.js';
import { LOOP_RESOLUTION_MS, type Figures } from './figures.js';
import type { Credentials, Target } from './target.js';

export interface RemoteTargetOptions {
  readonly url: string;
  readonly database: pg.ClientConfig;
  readonly credentials: Credentials;
  /** A token that may read /metrics and every VM. */
  readonly token: string;
}

/** The next sample follows soon, so the test does not wait long for a busy gateway. */
const TIMEOUT_MS = 2_000;

export function createRemoteTarget({ token, ...target }: RemoteTargetOptions): Target {
  const request = (path: string): Promise<Response> =>
    fetch(target.url + path, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  const figures = async (): Promise<Figures | undefined> => {
    try {
      return parseFigures(await (await request('/metrics')).text());
    } catch {
      return undefined;
    }
  };
  return {
    ...target,
    figures,
    memory: async () => (await figures())?.rss,
    readVmStatus: async (hostname) => (await request(vmPath(hostname))).status,
    restart: undefined,
    stop: () => Promise.resolve(),
  };
}

/**
 * Reads the figures from a metrics page. Returns undefined if one is missing, as behind a proxy
 * that serves no metrics.
 */
export function parseFigures(metrics: string): Figures | undefined {
  const value = (name: string): number =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1] ?? NaN);
  const lagMs = (name: string): number => Math.max(0, value(name) * 1e3 - LOOP_RESOLUTION_MS);
  const figures = {
    cpuUs: value('process_cpu_seconds_total') * 1e6,
    rss: value('process_resident_memory_bytes'),
    loopLagMs: {
      p99: lagMs('nodejs_eventloop_lag_p99_seconds'),
      max: lagMs('nodejs_eventloop_lag_max_seconds'),
    },
  };
  return Number.isNaN(figures.cpuUs + figures.rss) ? undefined : figures;
}
