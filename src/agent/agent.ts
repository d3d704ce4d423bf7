// The agent at work: it feeds what happens to the decisions, one event after the other, and does what they say. Whatever
// fails that must not fail (the state file, above all) ends it, and the command with it.

import { endGroup, isGroupAlive, type Leader } from '../processes/process-group.js';
import type { Action, AgentState, AssignedVm, Event, Exit, Policy } from './agent-state.js';
import { initialState } from './agent-state.js';
import type { Launched } from './command.js';
import { decide } from './reducer.js';
import type { Entry, Journal } from './journal.js';

/** What the agent works with. */
export interface AgentParts {
  readonly policy: Policy;
  readonly save: (journal: Journal) => Promise<void>;
  readonly launch: (vm: AssignedVm, frame: string) => Promise<Launched>;
  readonly print: (line: string) => Promise<void>;
  /** Tells the gateway, if there is a socket. */
  readonly acknowledge: (assignmentId: string) => void;
  readonly failVm: (assignmentId: string) => void;
  /** Resolve once the gateway has answered, however long that takes. */
  readonly report: (entry: Entry) => Promise<void>;
  readonly register: () => Promise<void>;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** Says something to whoever looks at the log. */
  readonly log: (text: string) => void;
}

/** How long reports may take once the agent is to end. */
const LAST_REPORTS_MS = 5_000;

/** The command that was launched last. */
interface Running extends Partial<Launched> {
  readonly assignmentId: string;
  over: Promise<unknown>;
}

export class Agent {
  #state: AgentState;
  #running: Running | undefined;
  readonly #events: Event[] = [];
  #wake: () => void = () => undefined;
  #failure: { readonly error: unknown } | undefined;
  #hurry: NodeJS.Timeout | undefined;

  private constructor(
    private readonly parts: AgentParts,
    journal: Journal,
    left: Entry | undefined,
  ) {
    this.#state = initialState(journal, left?.assignment_id);
    if (left?.leader !== undefined) {
      this.#running = {
        assignmentId: left.assignment_id,
        leader: left.leader,
        over: Promise.resolve(),
      };
    }
  }

  /** Ends what an agent before this one has left running: nobody would learn how it ends. */
  static async create(parts: AgentParts, journal: Journal): Promise<Agent> {
    for (const { assignment_id, end, leader } of journal.entries) {
      if (end !== undefined || leader === undefined || !(await isGroupAlive(leader))) continue;
      parts.log(`ending the command of ${assignment_id}, which lost its agent`);
      await endGroup(leader, parts.graceMs, stuck(parts, leader));
    }
    const last = journal.entries.at(-1);
    const isLeft = last?.leader !== undefined && (await isGroupAlive(last.leader));
    return new Agent(parts, journal, isLeft ? last : undefined);
  }

  /** Something happened. */
  tell(event: Event): void {
    this.#events.push(event);
    this.#wake();
  }

  /**
   * Works until it is told to end, or the gateway says not to come back.
   * @throws what it cannot go on with.
   */
  async run(): Promise<'told-to' | 'refused'> {
    this.tell({ type: 'start' });
    try {
      for (;;) {
        const why = await this.#handle(await this.#next());
        if (why !== undefined) return why;
      }
    } catch (error) {
      await this.#endRunning();
      throw error;
    } finally {
      clearTimeout(this.#hurry);
    }
  }

  async #next(): Promise<Event> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const event = this.#events.shift();
      if (event !== undefined) return event;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async #handle(event: Event): Promise<'told-to' | 'refused' | undefined> {
    const { state, actions } = decide(
      this.parts.policy,
      this.#state,
      event,
      new Date().toISOString(),
    );
    this.#state = state;
    for (const action of actions) {
      if (action.do === 'leave') return action.why;
      await this.#perform(action);
    }
    return undefined;
  }

  async #perform(action: Exclude<Action, { do: 'leave' }>): Promise<void> {
    const { parts } = this;
    switch (action.do) {
      case 'save':
        await parts.save(action.journal);
        break;
      case 'launch':
        await this.#launch(action.vm, action.frame);
        break;
      case 'begin':
        this.#begin(action.assignmentId);
        break;
      case 'end':
        this.#watch(this.#endRunning(), { type: 'gone', assignmentId: action.assignmentId });
        break;
      case 'acknowledge':
        parts.acknowledge(action.assignmentId);
        break;
      case 'fail-vm':
        parts.failVm(action.assignmentId);
        break;
      case 'report':
        this.#watch(parts.report(action.entry), {
          type: 'reported',
          assignmentId: action.entry.assignment_id,
        });
        break;
      case 'print':
        await parts.print(action.line);
        break;
      case 'register':
        this.#watch(parts.register());
        break;
      case 'hurry':
        this.#hurry ??= setTimeout(
          () => this.tell({ type: 'late' }),
          parts.graceMs + LAST_REPORTS_MS,
        );
    }
  }

  /** What comes of it is the next event. */
  async #launch(vm: AssignedVm, frame: string): Promise<void> {
    const { assignment_id: assignmentId } = vm;
    try {
      const launched = await this.parts.launch(vm, frame);
      this.#running = { ...launched, assignmentId, over: Promise.resolve() };
      const { leader } = launched;
      this.#events.unshift({ type: 'launched', assignmentId, ...(leader && { leader }) });
    } catch (error) {
      this.parts.log(`${assignmentId} cannot be begun: ${String(error)}`);
      const exit: Exit = { code: null, signal: null };
      this.#events.unshift({ type: 'over', assignmentId, exit });
    }
  }

  #begin(assignmentId: string): void {
    const running = this.#running;
    if (running?.begin === undefined) throw new Error('begun before it was launched');
    this.parts.log(`${assignmentId} begins`);
    const over = running.begin().then(async (exit) => {
      this.parts.log(`${assignmentId} has ended: ${exit.signal ?? `exit code ${exit.code}`}`);
      this.tell({ type: 'over', assignmentId, exit });
      const { leader } = running;
      if (leader === undefined || !(await isGroupAlive(leader)))
        this.tell({ type: 'gone', assignmentId });
    });
    running.over = over;
    this.#watch(over);
  }

  /** Resolves once nobody of the group is left, and the end of its first process has been told. */
  async #endRunning(): Promise<void> {
    const { leader, over } = this.#running ?? {};
    if (leader !== undefined) await endGroup(leader, this.parts.graceMs, stuck(this.parts, leader));
    await over;
  }

  /** Goes on beside the events; what comes of it is one. */
  #watch(work: Promise<unknown>, event?: Event): void {
    work.then(
      () => event && this.tell(event),
      (error: unknown) => {
        this.#failure ??= { error };
        this.#wake();
      },
    );
  }
}

function stuck({ log }: AgentParts, { pid }: Leader): () => void {
  return () => log(`the process group ${pid} does not end, not even by SIGKILL`);
}
