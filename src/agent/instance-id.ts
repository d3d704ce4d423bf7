// Which VM this is, by the word of the cloud it runs in: the instance's id, from the metadata service that each cloud
// has at the same address. It may be late while a VM boots.

import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from './errors.js';

export const CLOUDS = ['ec2', 'gce', 'azure'] as const;
export type Cloud = (typeof CLOUDS)[number];

export interface MetadataService {
  readonly url: string;
  /** For one answer. */
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly pauseMs: number;
}

/** Link-local: whoever answers there is the host (RFC 3927 §2.6.2). At most 80 seconds in all. */
const SERVICE: MetadataService = {
  url: 'http://169.254.169.254',
  timeoutMs: 3_000,
  attempts: 20,
  pauseMs: 1_000,
};

const READ: Readonly<Record<Cloud, (get: Get) => Promise<string>>> = {
  // Version 2 of the service, which may be the only one that is allowed: a session first.
  ec2: async (get) => {
    const session = await get('PUT', '/latest/api/token', {
      'X-aws-ec2-metadata-token-ttl-seconds': '60',
    });
    return get('GET', '/latest/meta-data/instance-id', { 'X-aws-ec2-metadata-token': session });
  },
  gce: (get) => get('GET', '/computeMetadata/v1/instance/id', { 'Metadata-Flavor': 'Google' }),
  azure: (get) =>
    get('GET', '/metadata/instance/compute/vmId?api-version=2021-02-01&format=text', {
      Metadata: 'true',
    }),
};

type Get = (method: string, path: string, headers: Record<string, string>) => Promise<string>;

/** @throws AgentError when the service gives no id in time. */
export async function instanceId(
  cloud: Cloud,
  service: MetadataService = SERVICE,
): Promise<string> {
  const { url, timeoutMs, attempts, pauseMs } = service;
  const get: Get = async (method, path, headers) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(url + path, { method, headers, signal, redirect: 'error' });
    const text = (await response.text()).trim();
    if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
    // A page that stands in the way is no id.
    if (!/^[\x21-\x7e]{1,255}$/.test(text)) throw new Error(`${path}: not an id`);
    return text;
  };
  let cause: unknown;
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (attempt > 0) await sleep(pauseMs);
    try {
      return await READ[cloud](get);
    } catch (error) {
      cause = error;
    }
  }
  throw new AgentError(
    `The metadata service of ${cloud} at ${url} does not say which VM this is.`,
    {
      cause,
    },
  );
}
