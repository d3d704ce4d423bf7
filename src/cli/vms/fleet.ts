// Reads the VMs of a gateway, in pages, each with the presence of its agent, and describes them for
// people.

import { Type, type Static } from 'typebox';
import { FLEET_PATH } from '../../protocol/paths.js';
import { Presence } from '../../protocol/presence.js';
import { DashboardVm } from '../../protocol/row.js';
import type { TableCell } from '../print.js';
import { formatQuery, type ApiConnection } from './api.js';

const PAGE = 1_000;

const VmPage = Type.Object({
  vms: Type.Array(DashboardVm),
  presence: Type.Array(Presence),
  next: Type.Union([Type.String(), Type.Null()]),
});

/** Columns that the role of the token sees beside those of a dashboard, such as `crd_command`. */
export type FleetVm = Static<typeof DashboardVm> & Readonly<Record<string, unknown>>;

/** A VM, and the presence of its agent; null if no agent was ever seen. */
export interface VmWithPresence {
  readonly vm: FleetVm;
  readonly presence: Presence | null;
}

export interface FleetFilter {
  readonly status?: string | undefined;
  readonly email?: string | undefined;
  /** A pattern of hostnames, in which `*` stands for any characters. */
  readonly hostname?: string | undefined;
}

/** Yields the VMs that pass the filter, in the order in which they were registered. */
export async function* readVms(
  api: ApiConnection,
  filter: FleetFilter,
): AsyncGenerator<VmWithPresence> {
  const { status, email, hostname } = filter;
  const matches = createMatcher(hostname);
  for (let after: string | undefined; ;) {
    const path = formatQuery(FLEET_PATH, { limit: PAGE, status, email, after });
    const { body } = await api.request(VmPage, { path });
    const agents = new Map(body.presence.map((presence) => [presence.hostname, presence]));
    for (const vm of body.vms)
      if (matches(vm.hostname)) yield { vm, presence: agents.get(vm.hostname) ?? null };
    if (body.next === null) return;
    after = body.next;
  }
}

function createMatcher(pattern: string | undefined): (hostname: string) => boolean {
  if (pattern === undefined) return () => true;
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  const regex = new RegExp(`^${parts.join('.*')}$`, 'su');
  return (hostname) => regex.test(hostname);
}

export const VM_HEADERS = ['hostname', 'status', 'email', 'agent', 'command', 'changed (UTC)'];

/** The cells of a VM, in the order of `VM_HEADERS`. */
export function formatVm({ vm, presence }: VmWithPresence): TableCell[] {
  const { hostname, status, email, updated_at } = vm;
  return [
    hostname,
    status,
    email,
    describeAgent(presence),
    describeDelivery(presence),
    updated_at?.slice(0, 19),
  ];
}

function describeAgent(presence: Presence | null): string {
  if (presence === null || (presence.since === null && !presence.online)) return 'never seen';
  if (presence.duplicate) return 'online twice';
  return presence.online ? 'online' : `offline since ${presence.since?.slice(0, 19) ?? '?'}`;
}

/** How far the command of the VM's assignment came; undefined without an assignment. */
export function describeDelivery(presence: Presence | null): string | undefined {
  const delivery = presence?.delivery ?? null;
  if (delivery === null) return undefined;
  const { pushed_at, acked_at, ended_at, outcome, exit_code } = delivery;
  if (ended_at !== null || outcome !== null) {
    const code = exit_code === null || exit_code === 0 ? '' : ` (exit code ${exit_code})`;
    return `${outcome ?? 'ended'}${code}`;
  }
  if (acked_at !== null) return 'accepted';
  return pushed_at === null ? 'not sent' : 'sent';
}
