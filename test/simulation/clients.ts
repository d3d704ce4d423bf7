// The clients of a history, with the real client library and the real agent: an agent runs commands
// and keeps its journal when it is killed; a dashboard watches the fleet.

import { Agent } from '../../src/agent/agent.js';
import { forwardEvents } from '../../src/agent/forward-events.js';
import type { AssignedVm, Policy } from '../../src/agent/agent-state.js';
import type { LaunchedCommand } from '../../src/agent/command-process.js';
import { EMPTY_JOURNAL, type Journal } from '../../src/agent/journal.js';
import { createClient } from '../../src/client/client.js';
import type { FleetWatch } from '../../src/client/fleet.js';
import type { VmWatch } from '../../src/client/vm.js';
import type { Identity } from '../../src/gateway/auth/token.js';
import type { ClientNetwork } from './client-network.js';
import { Witness, type Ledger, type State } from './ledger.js';
import { Process } from './virtual-time.js';

export interface ClientWorld {
  readonly network: ClientNetwork;
  readonly ledger: Ledger;
  /** An agent without a row asks for one. */
  readonly register: (hostname: string) => void;
}

const URL_OF_GATEWAYS = 'ws://gateways.test';

function createIdentity(role: 'agent' | 'dashboard', sub: string): Identity {
  return { role, sub, expiresAtMs: Number.MAX_SAFE_INTEGER };
}

interface VmRecord {
  readonly hostname: string;
  readonly updated_at: string;
}

interface ServerFrame {
  readonly type: string;
  readonly hostname?: string;
  readonly vm?: VmRecord;
  readonly vms?: readonly VmRecord[];
  readonly more?: boolean;
  readonly changes?: readonly {
    readonly op: string;
    readonly hostname?: string;
    readonly vm?: VmRecord;
  }[];
}

/** Watches what one client receives, socket by socket. */
class Sight {
  #witness: Witness;
  #parts = new Map<string, State>();

  constructor(
    private readonly name: string,
    private readonly ledger: Ledger,
  ) {
    this.#witness = new Witness(name, ledger);
  }

  begin(): void {
    this.#witness = new Witness(this.name, this.ledger);
    this.#parts = new Map();
  }

  see(text: string): void {
    const frame = JSON.parse(text) as ServerFrame;
    const { vm, vms, changes } = frame;
    if (vm !== undefined) this.#witness.see(vm.hostname, vm.updated_at);
    else if (frame.type === 'absent') this.#witness.see(frame.hostname ?? '', undefined);
    else if (vms !== undefined) this.#seePart(vms, frame.more === true);
    else if (changes !== undefined) for (const change of changes) this.#seeChange(change);
    this.ledger.trace?.push(`  ${this.name} received ${text}`);
  }

  /** Only the end of a snapshot says which hostnames are absent. */
  #seePart(vms: readonly VmRecord[], more: boolean): void {
    for (const { hostname, updated_at } of vms) this.#parts.set(hostname, updated_at);
    if (more) return;
    for (const hostname of this.ledger.states.keys())
      this.#witness.see(hostname, this.#parts.get(hostname));
    this.#parts = new Map();
  }

  #seeChange({ op, hostname = '', vm }: NonNullable<ServerFrame['changes']>[number]): void {
    if (op === 'upsert' && vm !== undefined) this.#witness.see(vm.hostname, vm.updated_at);
    else if (op === 'delete') this.#witness.see(hostname, undefined);
  }
}

export class SimulatedAgent {
  /** What the disk of the VM keeps when the agent is killed. */
  #journal: Journal = EMPTY_JOURNAL;
  readonly #started = new Set<string>();
  #process: Process | undefined;
  #watch: VmWatch | undefined;
  readonly #policy: Policy;
  /** The agent rejects nothing and ran into no error. */
  failure: unknown;

  constructor(
    readonly hostname: string,
    private readonly world: ClientWorld,
    failVmOnError: boolean,
  ) {
    this.#policy = { act: 'run', rerunInterrupted: false, failVmOnError };
    this.start();
  }

  get isConnected(): boolean {
    return this.#watch?.connection.phase === 'live';
  }

  get state(): VmWatch['state'] {
    return this.#watch?.state;
  }

  hasRun(assignmentId: string): boolean {
    return this.#started.has(assignmentId);
  }

  start(): void {
    const { network } = this.world;
    // The lock of the state file keeps a second agent out.
    if (this.#process?.isKilled === false) return;
    const process = new Process();
    this.#process = process;
    network.time.runIn(process, () => {
      this.#run(process).catch((error: unknown) => {
        this.failure = error;
      });
    });
  }

  /** The process ends, and its sockets are reset; the journal stays. */
  kill(): void {
    if (this.#process !== undefined) this.#process.isKilled = true;
    for (const pair of this.world.network.pairs) if (pair.process === this.#process) pair.cut();
  }

  async #run(process: Process): Promise<void> {
    const { network, ledger } = this.world;
    const { time } = network;
    const sight = new Sight(`agent ${this.hostname}`, ledger);
    const runtime = network.createRuntime(
      process,
      createIdentity('agent', this.hostname),
      (text) => sight.see(text),
      () => sight.begin(),
    );
    const client = createClient({ url: URL_OF_GATEWAYS }, runtime);
    const watch = client.watchVm(this.hostname);
    this.#watch = watch;
    const agent = await Agent.create(
      {
        policy: this.#policy,
        save: (journal) => {
          this.#journal = journal;
          return Promise.resolve();
        },
        launch: (vm) => Promise.resolve(this.#launch(vm)),
        print: () => Promise.resolve(),
        acknowledge: (id) => watch.acknowledge(id),
        failVm: (id) => watch.reportStatus('failed', id),
        report: () => new Promise((resolve) => time.after(20, resolve)),
        register: () => {
          this.world.register(this.hostname);
          return Promise.resolve();
        },
        graceMs: 10_000,
        log: () => undefined,
      },
      this.#journal,
    );
    forwardEvents(agent, watch);
    await agent.run();
  }

  #launch(vm: AssignedVm): LaunchedCommand {
    const { ledger, network } = this.world;
    const { time } = network;
    const id = vm.assignment_id;
    const made = ledger.made.get(id);
    if (made?.command !== (vm.crd_command ?? null))
      ledger.fail(`unproven: ${this.hostname} runs ${id}, which the table never made`);
    if (ledger.adopted.has(id))
      ledger.fail(`adopted: ${this.hostname} runs ${id}, whose command ran before`);
    return {
      start: () =>
        new Promise((resolve) => {
          if (this.#started.has(id)) ledger.fail(`twice: ${this.hostname} runs ${id} again`);
          this.#started.add(id);
          ledger.count('state: a command ran');
          ledger.trace?.push(`${time.nowMs.toFixed(1)} agent ${this.hostname} runs ${id}`);
          const code = time.random.once(6) ? 1 : 0;
          time.after(1 + 3_000 * time.random.next(), () => resolve({ code, signal: null }));
        }),
    };
  }
}

export class SimulatedDashboard {
  readonly watch: FleetWatch;

  constructor(world: ClientWorld) {
    const { network, ledger } = world;
    const process = new Process();
    const sight = new Sight('dashboard', ledger);
    const runtime = network.createRuntime(
      process,
      createIdentity('dashboard', 'dashboard'),
      (text) => sight.see(text),
      () => sight.begin(),
    );
    this.watch = network.time.runIn(process, () =>
      createClient({ url: URL_OF_GATEWAYS }, runtime).watchFleet(),
    );
  }
}
