// A gateway and a database of others, which the load test finds as they are: what can be known of the gateway is what
// its /metrics say.

import type pg from 'pg';
import { vmPath } from '../protocol/paths.js';
import { LOOP_RESOLUTION_MS, type Figures } from './figures.js';
import type { Credentials, Target } from './target.js';

export interface OthersTarget {
  readonly url: string;
  readonly database: pg.ClientConfig;
  readonly credentials: Credentials;
  /** One that may read /metrics and every VM. */
  readonly token: string;
}

/** A gateway that is too busy to answer is not waited for: the figures come again. */
const TIMEOUT_MS = 2_000;

export function othersTarget({ token, ...others }: OthersTarget): Target {
  const ask = (path: string): Promise<Response> =>
    fetch(others.url + path, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  const figures = async (): Promise<Figures | undefined> => {
    try {
      return figuresOf(await (await ask('/metrics')).text());
    } catch {
      return undefined;
    }
  };
  return {
    ...others,
    figures,
    memory: async () => (await figures())?.rss,
    statusOf: async (hostname) => (await ask(vmPath(hostname))).status,
    restart: undefined,
    stop: () => Promise.resolve(),
  };
}

/** Undefined where one of them is missing, as behind a proxy that answers for several gateways or for none. */
export function figuresOf(metrics: string): Figures | undefined {
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
