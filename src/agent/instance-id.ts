// The VM's name from the cloud that it runs in: the instance id, read from the metadata service.
// The three clouds have it at the same address. The service may answer late while a VM boots.

import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from './errors.js';

export const CLOUDS = ['ec2', 'gce', 'azure'] as const;
export type Cloud = (typeof CLOUDS)[number];

export interface MetadataService {
  readonly url: string;
  /** The time limit for one response. */
  readonly timeoutMs: number;
  readonly attempts: number;
  /** Between two attempts. */
  readonly pauseMs: number;
}

/**
 * The address is link-local, so only the host of the VM can answer (RFC 3927 §2.6.2). All attempts
 * together take 80 seconds at most.
 */
const SERVICE: MetadataService = {
  url: 'http://169.254.169.254',
  timeoutMs: 3_000,
  attempts: 20,
  pauseMs: 1_000,
};

const READ_BY_CLOUD: Readonly<Record<Cloud, (get: Get) => Promise<string>>> = {
  // Version 2 of the service needs a session first; version 1 may be disabled.
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

/** @throws AgentError if the service returns no id in time. */
export async function readInstanceId(
  cloud: Cloud,
  service: MetadataService = SERVICE,
): Promise<string> {
  const { url, timeoutMs, attempts, pauseMs } = service;
  const get: Get = async (method, path, headers) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(url + path, { method, headers, signal, redirect: 'error' });
    const text = (await response.text()).trim();
    if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
    // A login page of the network in between is not an id.
    if (!/^[\x21-\x7e]{1,255}$/.test(text)) throw new Error(`${path}: not an id`);
    return text;
  };
  let cause: unknown;
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (attempt > 0) await sleep(pauseMs);
    try {
      return await READ_BY_CLOUD[cloud](get);
    } catch (error) {
      cause = error;
    }
  }
  const message = `The metadata service of ${cloud} at ${url} does not return the instance id.`;
  throw new AgentError(message, { cause });
}
