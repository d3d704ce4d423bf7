// Tracks the presence of this gateway's agents: who is here is kept in a roster and written under the gateway's lease.
// With each renewal of the lease, VMs are failed whose agents stay away, and now and then old rows are removed.

import type pg from 'pg';
import type { Logger } from 'pino';
import { failAbsent } from '../database/absence.js';
import * as presence from '../database/presence.js';
import { Membership, type MembershipSettings } from './lease.js';
import { payloadsOf } from './payloads.js';
import { Roster } from './pending-writes.js';

export interface PresenceTrackerOptions extends MembershipSettings {
  /** Names the process. */
  readonly gateway: string;
  readonly pool: pg.Pool;
  /** How long the agent of a VM in use may stay away; undefined: for ever. */
  readonly offlineGraceMs: number | undefined;
  readonly metrics: {
    readonly presenceWritten: (agents: number) => void;
    readonly leaseLost: () => void;
    readonly failedAbsent: (vms: number) => void;
  };
  /** Agents may be away, or online again, of whom nobody says so. */
  readonly onGatewaysChanged: () => void;
  readonly log: Logger;
}

/** How often each gateway removes old rows: a step each time, so what many gateways leave behind goes soon enough. */
const PRUNE_INTERVAL_MS = 300_000;

export function createPresenceTracker(options: PresenceTrackerOptions) {
  const { gateway, pool, metrics, log } = options;
  const roster = new Roster();
  let pruneAtMs = performance.now() + Math.random() * PRUNE_INTERVAL_MS;

  const failThoseAway = async (): Promise<void> => {
    if (options.offlineGraceMs === undefined || membership.leaving) return;
    const vms = await failAbsent(pool, gateway, options.offlineGraceMs);
    metrics.failedAbsent(vms.length);
    for (const hostname of vms) log.info({ hostname }, 'set failed: its agent stayed away');
  };
  const removeOldRows = async (): Promise<void> => {
    if (performance.now() < pruneAtMs) return;
    pruneAtMs = performance.now() + PRUNE_INTERVAL_MS;
    await presence.prunePresence(pool);
  };
  const failed = (err: unknown): void =>
    log.warn({ err }, 'presence could not be kept; trying again');

  const membership = new Membership(
    gateway,
    roster,
    {
      enter: (instance, leaseMs) => presence.acquireLease(pool, instance, leaseMs),
      renew: (instance, leaseMs, complete) =>
        presence.renewLease(pool, instance, leaseMs, complete),
      write: (instance, { agents, pushes, reported }, nowMs) => {
        const ago = <T extends { readonly atMs: number }>(event: T) => ({
          ...event,
          agoMs: nowMs - event.atMs,
        });
        const hostnames = new Set([...agents.map(({ hostname }) => hostname), ...reported]);
        return presence.writePresence(pool, instance, {
          agents: agents.map(ago),
          pushes: pushes.map(ago),
          payloads: payloadsOf(hostnames),
        });
      },
      leave: (instance) => presence.releaseLease(pool, instance),
    },
    {
      gatewaysChanged: options.onGatewaysChanged,
      lost: () => {
        log.warn('the lease was lost; entering anew');
        metrics.leaseLost();
      },
      written: ({ agents }) => metrics.presenceWritten(agents.length),
      renewed: () => failThoseAway().then(removeOldRows).catch(failed),
      failed,
    },
    options,
  );

  return {
    arrived: (hostname: string): void => {
      roster.arrived(hostname, performance.now());
      membership.changed();
    },
    left: (hostname: string): void => {
      roster.left(hostname, performance.now());
      membership.changed();
    },
    pushed: (hostname: string, assignmentId: string): void => {
      roster.pushed(hostname, assignmentId, performance.now());
      membership.changed();
    },
    reported: (hostname: string): void => {
      roster.reported(hostname);
      membership.changed();
    },
    /** How long ago this assignment was pushed, as long as that waits to be written. */
    pushedAgoMs: (hostname: string, assignmentId: string): number | undefined => {
      const atMs = roster.pushedAtMs(hostname, assignmentId);
      return atMs === undefined ? undefined : performance.now() - atMs;
    },
    pushWritten: (hostname: string, assignmentId: string): void =>
      roster.pushWritten(hostname, assignmentId),
    /** The gateway is ready to see agents. */
    start: (): void => membership.start(),
    beginToLeave: (): void => membership.beginToLeave(),
    stop: (): Promise<void> => membership.stop(),
  };
}
