// The record of one VM: its row, its agent's presence, and derived values for sorting, searching
// and highlighting. Records change in place, so that unchanged VMs cost nothing.

import type { Delivery, Presence, WatchedVm } from '../../client/index.js';
import { listDangers, type Danger } from './danger.js';
import { parseTime } from './time.js';

/** The cells that are highlighted when their content changes. */
export const ROW_CELLS = ['status', 'email', 'agent', 'delivery'] as const;
export type RowCell = (typeof ROW_CELLS)[number];

/** How often a cell changed, and when it last did; -Infinity if never. */
export interface CellChange {
  readonly count: number;
  readonly atMs: number;
}
const NEVER: CellChange = { count: 0, atMs: -Infinity };

export type DeliveryStage = 'none' | 'made' | 'pushed' | 'acknowledged' | 'ended';

export class VmRecord {
  /** The hostname with padded numbers, so that vm-9 sorts before vm-10. */
  readonly sortKey: string;
  /** The text that is searched. */
  searchText = '';
  changedAtMs: number | undefined;
  /** When the agent came online or went offline, in ms since the epoch. */
  sinceMs: number | undefined;
  /** Increases with every change. */
  revision = 0;
  readonly cells: Record<RowCell, CellChange> = {
    status: NEVER,
    email: NEVER,
    agent: NEVER,
    delivery: NEVER,
  };
  /** What endangers the person who has the VM, or the next one; the worst first. */
  dangers: readonly Danger[] = [];
  #late = false;
  #vm: WatchedVm;
  #presence: Presence | undefined;

  constructor(vm: WatchedVm, presence: Presence | undefined) {
    this.#vm = vm;
    this.#presence = presence;
    this.sortKey = formatSortKey(vm.hostname);
    this.#derive();
  }

  get hostname(): string {
    return this.#vm.hostname;
  }

  get vm(): WatchedVm {
    return this.#vm;
  }

  get presence(): Presence | undefined {
    return this.#presence;
  }

  get online(): boolean {
    return this.#presence?.online ?? false;
  }

  /**
   * The delivery of the row's current assignment; undefined while the presence still describes an
   * earlier assignment, because row and presence arrive separately.
   */
  get delivery(): Delivery | undefined {
    const delivery = this.#presence?.delivery ?? undefined;
    return delivery?.assignment_id === this.#vm.assignment_id ? delivery : undefined;
  }

  /** How far the delivery of the current assignment has come. */
  get stage(): DeliveryStage {
    const { assignment_id: current } = this.#vm;
    if (current === null) return 'none';
    const { delivery } = this;
    if (delivery === undefined) {
      return this.#presence?.acked_assignment_id === current ? 'acknowledged' : 'made';
    }
    if (delivery.ended_at !== null) return 'ended';
    if (delivery.acked_at !== null) return 'acknowledged';
    return delivery.pushed_at === null ? 'made' : 'pushed';
  }

  /** Whether the VM is in use and its agent has not acknowledged the assignment. */
  get waiting(): boolean {
    return this.#vm.status === 'in-use' && (this.stage === 'made' || this.stage === 'pushed');
  }

  /** Since when the assignment waits, in ms since the epoch; undefined if it does not. */
  get waitingSinceMs(): number | undefined {
    if (!this.waiting) return undefined;
    return parseTime(this.delivery?.made_at) ?? this.changedAtMs;
  }

  /** Whether the assignment has waited for too long. */
  get late(): boolean {
    return this.#late;
  }

  set late(late: boolean) {
    this.#late = late;
    this.revision++;
    this.#derive();
  }

  setVm(vm: WatchedVm, nowMs: number): void {
    this.#change(nowMs, () => (this.#vm = vm));
  }

  setPresence(presence: Presence | undefined, nowMs: number): void {
    this.#change(nowMs, () => (this.#presence = presence));
  }

  #change(nowMs: number, change: () => void): void {
    const before = this.#readCells();
    change();
    const after = this.#readCells();
    for (const cell of ROW_CELLS) {
      if (before[cell] !== after[cell])
        this.cells[cell] = { count: this.cells[cell].count + 1, atMs: nowMs };
    }
    this.revision++;
    this.#derive();
  }

  #readCells(): Record<RowCell, unknown> {
    const { status, email, assignment_id } = this.#vm;
    const { online, stage } = this;
    return { status, email, agent: online, delivery: `${stage} ${assignment_id ?? ''}` };
  }

  #derive(): void {
    const { hostname, email, status, updated_at } = this.#vm;
    this.#late &&= this.waiting;
    this.searchText = `${hostname}\n${email ?? ''}\n${status}`.toLowerCase();
    this.changedAtMs = parseTime(updated_at);
    this.sinceMs = parseTime(this.#presence?.since);
    const duplicate = this.#presence?.duplicate ?? false;
    const { online, delivery } = this;
    this.dangers = listDangers({ status, online, duplicate, late: this.#late, delivery });
  }
}

/** The width that numbers are padded to: enough for a timestamp in a hostname. */
const DIGITS = 20;

function formatSortKey(hostname: string): string {
  return hostname.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(DIGITS, '0'));
}
