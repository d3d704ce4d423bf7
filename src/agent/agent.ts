// The running agent: passes events to the reducer one by one, and carries out its effects. If an
// effect fails that must not fail (above all a write of the state file), the agent ends, and ends
// its command too.

import { endGroup, isGroupAlive, type Leader } from '../processes/process-group.js';
import {
  createInitialState,
  type AgentEffect,
  type AgentEvent,
  type AgentState,
  type AssignedVm,
  type Exit,
  type ExitReason,
  type Policy,
} from './agent-state.js';
import type { LaunchedCommand } from './command-process.js';
import type { Journal, JournalEntry } from './journal.js';
import { reduce } from './reducer.js';

export interface AgentDependencies {
  readonly policy: Policy;
  readonly save: (journal: Journal) => Promise<void>;
  readonly launch: (vm: AssignedVm, frame: string) => Promise<LaunchedCommand>;
  readonly print: (line: string) => Promise<void>;
  /** Sends the acknowledgement, if there is an open socket. */
  readonly acknowledge: (assignmentId: string) => void;
  /** Asks the gateway to set the VM failed, if there is an open socket. */
  readonly failVm: (assignmentId: string) => void;
  /** Resolves once the gateway has answered, however long that takes. */
  readonly report: (entry: JournalEntry) => Promise<void>;
  /** Resolves once the gateway has answered, however long that takes. */
  readonly register: () => Promise<void>;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  readonly log: (text: string) => void;
}

/** How long the last reports may take when the agent is about to exit. */
const LAST_REPORTS_MS = 5_000;

/** The command that was launched last. */
interface Running extends Partial<LaunchedCommand> {
  readonly assignmentId: string;
  exited: Promise<unknown>;
}

export class Agent {
  #state: AgentState;
  #running: Running | undefined;
  readonly #events: AgentEvent[] = [];
  #wake: () => void = () => undefined;
  #failure: { readonly error: unknown } | undefined;
  #deadline: NodeJS.Timeout | undefined;

  private constructor(
    private readonly dependencies: AgentDependencies,
    journal: Journal,
    survivor: JournalEntry | undefined,
  ) {
    this.#state = createInitialState(journal, survivor?.assignment_id);
    if (survivor?.leader !== undefined) {
      const { assignment_id: assignmentId, leader } = survivor;
      this.#running = { assignmentId, leader, exited: Promise.resolve() };
    }
  }

  /** Ends the commands that a killed agent left running: their exit could not be observed. */
  static async create(dependencies: AgentDependencies, journal: Journal): Promise<Agent> {
    for (const { assignment_id, end, leader } of journal.entries) {
      if (end !== undefined || leader === undefined || !(await isGroupAlive(leader))) continue;
      dependencies.log(`ending the command of ${assignment_id}, which lost its agent`);
      await endGroup(leader, dependencies.graceMs, createStuckLogger(dependencies, leader));
    }
    const last = journal.entries.at(-1);
    const survives = last?.leader !== undefined && (await isGroupAlive(last.leader));
    return new Agent(dependencies, journal, survives ? last : undefined);
  }

  /** Adds an event to the queue. */
  dispatch(event: AgentEvent): void {
    this.#events.push(event);
    this.#wake();
  }

  /**
   * Works until it is stopped, or the gateway rejects it for good.
   * @throws the error that ended it.
   */
  async run(): Promise<ExitReason> {
    this.dispatch({ type: 'start' });
    try {
      for (;;) {
        const reason = await this.#handle(await this.#nextEvent());
        if (reason !== undefined) return reason;
      }
    } catch (error) {
      await this.#endRunning();
      throw error;
    } finally {
      clearTimeout(this.#deadline);
    }
  }

  async #nextEvent(): Promise<AgentEvent> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const event = this.#events.shift();
      if (event !== undefined) return event;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async #handle(event: AgentEvent): Promise<ExitReason | undefined> {
    const now = new Date().toISOString();
    const { state, effects } = reduce(this.dependencies.policy, this.#state, event, now);
    this.#state = state;
    for (const effect of effects) {
      if (effect.do === 'exit') return effect.reason;
      await this.#perform(effect);
    }
    return undefined;
  }

  async #perform(effect: Exclude<AgentEffect, { do: 'exit' }>): Promise<void> {
    const { dependencies } = this;
    switch (effect.do) {
      case 'save':
        await dependencies.save(effect.journal);
        break;
      case 'launch':
        await this.#launch(effect.vm, effect.frame);
        break;
      case 'start':
        this.#start(effect.assignmentId);
        break;
      case 'terminate': {
        const { assignmentId } = effect;
        this.#runBeside(this.#endRunning(), { type: 'group-ended', assignmentId });
        break;
      }
      case 'acknowledge':
        dependencies.acknowledge(effect.assignmentId);
        break;
      case 'fail-vm':
        dependencies.failVm(effect.assignmentId);
        break;
      case 'report': {
        const { assignment_id: assignmentId } = effect.entry;
        this.#runBeside(dependencies.report(effect.entry), { type: 'reported', assignmentId });
        break;
      }
      case 'print':
        await dependencies.print(effect.line);
        break;
      case 'register':
        this.#runBeside(dependencies.register());
        break;
      case 'set-deadline':
        this.#deadline ??= setTimeout(
          () => this.dispatch({ type: 'deadline' }),
          dependencies.graceMs + LAST_REPORTS_MS,
        );
    }
  }

  /** The result is the next event, before all that wait. */
  async #launch(vm: AssignedVm, frame: string): Promise<void> {
    const { assignment_id: assignmentId } = vm;
    try {
      const launched = await this.dependencies.launch(vm, frame);
      this.#running = { ...launched, assignmentId, exited: Promise.resolve() };
      const { leader } = launched;
      this.#events.unshift({ type: 'launched', assignmentId, ...(leader && { leader }) });
    } catch (error) {
      this.dependencies.log(`${assignmentId} cannot be started: ${String(error)}`);
      const exit: Exit = { code: null, signal: null };
      this.#events.unshift({ type: 'exited', assignmentId, exit });
    }
  }

  #start(assignmentId: string): void {
    const running = this.#running;
    if (running?.start === undefined) throw new Error('a command starts that was not launched');
    this.dependencies.log(`${assignmentId} starts`);
    const exited = running.start().then(async (exit) => {
      this.dependencies.log(
        `${assignmentId} has ended: ${exit.signal ?? `exit code ${exit.code}`}`,
      );
      this.dispatch({ type: 'exited', assignmentId, exit });
      const { leader } = running;
      if (leader === undefined || !(await isGroupAlive(leader)))
        this.dispatch({ type: 'group-ended', assignmentId });
    });
    running.exited = exited;
    this.#runBeside(exited);
  }

  /** Resolves once the group is empty, and the exit of its first process was dispatched. */
  async #endRunning(): Promise<void> {
    const { leader, exited } = this.#running ?? {};
    const { graceMs } = this.dependencies;
    if (leader !== undefined)
      await endGroup(leader, graceMs, createStuckLogger(this.dependencies, leader));
    await exited;
  }

  /** Runs beside the events, and dispatches `event` at its end. A failure ends the agent. */
  #runBeside(work: Promise<unknown>, event?: AgentEvent): void {
    work.then(
      () => event && this.dispatch(event),
      (error: unknown) => {
        this.#failure ??= { error };
        this.#wake();
      },
    );
  }
}

function createStuckLogger({ log }: AgentDependencies, { pid }: Leader): () => void {
  return () => log(`the process group ${pid} does not end, not even after SIGKILL`);
}
