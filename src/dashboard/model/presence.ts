// What the gateway tells of a VM's agent and of the delivery of its assignment, and how far that delivery has come.

/** The way of the row's current assignment to its VM. Times are RFC 3339 in UTC. */
export interface Delivery {
  readonly assignment_id: string;
  readonly made_at: string | null;
  readonly pushed_at: string | null;
  readonly acked_at: string | null;
  readonly ended_at: string | null;
  readonly outcome: string | null;
  readonly exit_code: number | null;
}

export interface Presence {
  readonly hostname: string;
  readonly online: boolean;
  /** Since when it is online, or away; null if it was never seen. */
  readonly since: string | null;
  /** Whether agents of this hostname are online on more than one gateway. */
  readonly duplicate: boolean;
  readonly acked_assignment_id: string | null;
  readonly delivery: Delivery | null;
}
