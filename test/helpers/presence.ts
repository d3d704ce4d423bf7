// The presence that a dashboard knows: the messages of its socket, folded by the protocol's rules.

import type { Presence } from '../../src/protocol/presence.js';
import type { Role } from '../../src/gateway/auth/roles.js';
import type { Message, RawClient } from './raw-client.js';

/** In this process or another. */
interface Gateway {
  connect(path: string, role: Role): Promise<RawClient>;
}

export class PresenceModel {
  readonly presence = new Map<string, Presence>();
  readonly #told: Presence[] = [];
  cursor: string | undefined;

  private constructor(readonly client: RawClient) {}

  /** Watches all VMs; resolves when the first state is there. */
  static async watch(gateway: Gateway, from?: PresenceModel): Promise<PresenceModel> {
    const query = from?.cursor === undefined ? '' : `?cursor=${from.cursor}`;
    const model = new PresenceModel(await gateway.connect(`/v1/vms${query}`, 'dashboard'));
    for (const [hostname, known] of from?.presence ?? []) model.presence.set(hostname, known);
    while (model.cursor === undefined) await model.#takeNext();
    return model;
  }

  /** Resolves with what is known of this agent once it is so. */
  async until(hostname: string, isSo: (known: Presence) => boolean): Promise<Presence> {
    for (;;) {
      const known = this.presence.get(hostname);
      if (known !== undefined && isSo(known)) return known;
      await this.#takeNext();
    }
  }

  /** Everything that was said of this agent, in order. */
  told(hostname: string): Presence[] {
    return this.#told.filter((known) => known.hostname === hostname);
  }

  /** Resolves once nothing is known of this agent. */
  async untilForgotten(hostname: string): Promise<void> {
    while (this.presence.has(hostname)) await this.#takeNext();
  }

  async #takeNext(): Promise<void> {
    const message = await this.client.next(({ type }) => type === 'snapshot' || type === 'changes');
    this.cursor = 'cursor' in message ? String(message.cursor) : undefined;
    for (const known of presenceIn(message)) {
      this.#told.push(known);
      if (known.online || known.since !== null || known.delivery !== null)
        this.presence.set(known.hostname, known);
      else this.presence.delete(known.hostname);
    }
  }
}

function presenceIn(message: Message): Presence[] {
  if (message.type === 'snapshot') return message.presence as Presence[];
  const changes = message.changes as ({ op?: string } & Presence)[];
  return changes
    .filter(({ op }) => op === 'presence')
    .map((change) => {
      const known = { ...change };
      delete known.op;
      return known;
    });
}
