// What is measured side by side: the floor, which has no server, the naive bridge, and the gateway.

import type { MemorySample, ProbeHandlers } from './probe.js';
import { Remote, type StartOptions } from './rpc.js';

export const CONTENDERS = ['floor', 'naive', 'gateway'] as const;
/** `attacked` is the gateway too, while others mean it harm. */
export type Contender = (typeof CONTENDERS)[number] | 'attacked';

/** What servers are started from. */
export interface Workshop {
  /** Where a compiled module is. */
  readonly pathOf: (module: string) => string;
  /** PG*: where the database is. */
  readonly env: Readonly<Record<string, string>>;
  /** Where the gateway leaves its CPU profiles, if anywhere. */
  readonly profileDir: string | undefined;
}

const MODULES = { naive: 'naive-bridge', gateway: 'gateway', attacked: 'gateway' } as const;

export class Server {
  private constructor(
    private readonly remote: Remote<ProbeHandlers>,
    readonly url: string,
  ) {}

  /** @param name of the profile. */
  static async start(
    contender: keyof typeof MODULES,
    { pathOf, env, profileDir }: Workshop,
    name: string,
  ): Promise<Server> {
    const profile =
      contender === 'gateway' && profileDir !== undefined
        ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`, `--cpu-prof-name=${name}.cpuprofile`]
        : [];
    const options: StartOptions = {
      execArgv: ['--expose-gc', '--import', pathOf('probe'), ...profile],
      env,
    };
    const remote = Remote.start<ProbeHandlers>(pathOf(MODULES[contender]), options);
    return new Server(remote, await remote.firstLine());
  }

  cpuUs(): Promise<number> {
    return this.remote.call('cpuUs');
  }

  memory(): Promise<MemorySample> {
    return this.remote.call('memory');
  }

  stop(): Promise<void> {
    return this.remote.stop();
  }
}
