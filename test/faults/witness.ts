// The observations of one client, over however many sockets: its state as the protocol defines it,
// the assignments that were delivered to it, and every time a hostname's version did not rise. A
// message costs it a few map entries, and it keeps nothing of what is in order.

import { FleetModel, VmModel, type Vm } from '../helpers/model.js';
import type { Message, RawClient } from '../helpers/raw-client.js';

/** The watcher: all VMs as an admin or a dashboard sees them, or one VM as its agent does. */
export type Watcher = 'admin' | 'dashboard' | { readonly hostname: string };

/**
 * On one socket, a version that is below the one before; or the same again after the row was gone.
 */
export interface Fall {
  readonly hostname: string;
  readonly from: number;
  readonly to: number;
}

interface Sight {
  readonly version: number;
  readonly gone: boolean;
}

/** Stands where a message was that no longer matters. */
const FORGOTTEN: Message = { type: 'forgotten' };

export class Witness {
  /** In the order in which they were first delivered. */
  readonly delivered = new Set<string>();
  #falls: Fall[] = [];
  #model: FleetModel | VmModel | undefined;
  #taken = 0;
  #client: RawClient | undefined;
  /** How many messages of the present socket were let go of. */
  #forgotten = 0;
  /** By hostname, as it was last seen on the present socket. */
  readonly #sights = new Map<string, Sight>();

  constructor(readonly watcher: Watcher) {}

  get name(): string {
    return typeof this.watcher === 'string'
      ? this.watcher
      : `the agent of ${this.watcher.hostname}`;
  }

  get falls(): readonly Fall[] {
    return this.#falls;
  }

  /** Where it would resume. */
  get cursor(): string | undefined {
    return this.#model instanceof FleetModel ? this.#model.cursor : undefined;
  }

  /**
   * The hostnames whose agents it knows to be online; undefined for an agent, which receives no
   * presence.
   */
  get online(): ReadonlySet<string> | undefined {
    if (!(this.#model instanceof FleetModel)) return undefined;
    const online = [...this.#model.online].filter(([, isOnline]) => isOnline);
    return new Set(online.map(([hostname]) => hostname));
  }

  /** From now on it is shown what this socket gets; what it knew, it knows. */
  follow(client: RawClient): void {
    this.fold();
    this.#client = client;
    this.#forgotten = 0;
    this.#model = this.#createModel(client);
    this.#taken = 0;
    this.#sights.clear();
  }

  /** Takes what has come since the last call. A message that breaks the protocol throws. */
  fold(): this {
    for (const message of this.#model?.client.messages.slice(this.#taken) ?? []) {
      this.#taken++;
      this.#see(message);
    }
    this.#model?.fold();
    return this;
  }

  /** Takes what has come since the last call, and lets go of it. */
  forgetMessages(): void {
    this.fold();
    const messages = this.#client?.messages ?? [];
    messages.fill(FORGOTTEN, this.#forgotten);
    this.#forgotten = messages.length;
  }

  /** Whether it knows exactly this table, as far as it may see it, and that the feed is live. */
  knows(table: ReadonlyMap<string, Vm>): boolean {
    return this.#model?.knows(table) ?? false;
  }

  /** The database itself went back: what fell until now fell with it. */
  forgive(): void {
    this.fold();
    this.#falls = [];
    this.#sights.clear();
  }

  /** Forgets earlier deliveries too. */
  forget(): void {
    this.forgive();
    this.delivered.clear();
  }

  #createModel(client: RawClient): FleetModel | VmModel {
    if (typeof this.watcher !== 'string') return new VmModel(client, this.watcher.hostname);
    const previous = this.#model instanceof FleetModel ? this.#model : undefined;
    return this.watcher === 'admin'
      ? FleetModel.ofAdmin(client, previous)
      : FleetModel.ofDashboard(client, previous);
  }

  #see(message: Message): void {
    if (message.type === 'absent') this.#seeGone(message.hostname as string);
    if (message.vm !== undefined) this.#seeRow(message.vm as Vm);
    for (const vm of (message.vms ?? []) as Vm[]) this.#seeRow(vm);
    for (const change of (message.changes ?? []) as { op: string; vm?: Vm; hostname?: string }[]) {
      if (change.vm !== undefined) this.#seeRow(change.vm);
      else if (change.op === 'delete') this.#seeGone(String(change.hostname));
    }
  }

  #seeRow(vm: Vm): void {
    const [hostname, to] = [String(vm.hostname), Number(vm.version)];
    const last = this.#sights.get(hostname);
    if (last !== undefined && (last.gone ? to <= last.version : to < last.version)) {
      this.#falls.push({ hostname, from: last.version, to });
    }
    this.#sights.set(hostname, { version: to, gone: false });
    if (vm.status === 'in-use' && typeof vm.assignment_id === 'string') {
      this.delivered.add(vm.assignment_id);
    }
  }

  #seeGone(hostname: string): void {
    const last = this.#sights.get(hostname);
    if (last !== undefined) this.#sights.set(hostname, { ...last, gone: true });
  }
}
