// Random histories of an agent: assignments come and go, sockets drop, commands end, and the agent
// is killed between any two effects; the next agent continues with the saved journal. In every
// history no command starts twice or beside another, each end is reported, and the newest
// assignment is acted on.

import fc from 'fast-check';
import t from 'tap';
import type { AgentEffect, AgentState, AgentEvent, Policy } from '../../src/agent/agent-state.js';
import { createInitialState } from '../../src/agent/agent-state.js';
import { reduce } from '../../src/agent/reducer.js';
import { EMPTY_JOURNAL, type Journal } from '../../src/agent/journal.js';
import type { VmState } from '../../src/client/index.js';
import { row } from '../client/rows.js';

const NOW = '2030-01-01T00:00:00.000Z';

/** The agent's surroundings: the row, the running command, and the messages to the gateway. */
class World {
  row: { status: string; assignment: number | null } | undefined = undefined;
  #assignments = 0;
  journal: Journal = EMPTY_JOURNAL;
  /** The running command, and whether its first process has exited. */
  command: { id: string; over: boolean } | undefined;
  readonly starts = new Map<string, number>();
  readonly reports = new Map<string, string>();
  readonly acknowledged = new Set<string>();
  state: AgentState;
  /** Whether messages get lost, because the socket is dead but its close is not known yet. */
  lossy = false;
  #launched: string | undefined;
  #left = false;
  #events: AgentEvent[] = [];

  constructor(readonly policy: Policy) {
    this.state = createInitialState(EMPTY_JOURNAL, undefined);
    this.handle({ type: 'start' });
  }

  assign(): void {
    this.row = { status: 'in-use', assignment: ++this.#assignments };
  }

  formatId(assignment: number | null): string | null {
    return assignment === null ? null : `a-${assignment}`;
  }

  sendRow(): void {
    const { row: vm } = this;
    const frame = JSON.stringify(vm ?? null);
    const columns =
      vm && row('vm-1', { status: vm.status, assignment_id: this.formatId(vm.assignment) });
    const message = (
      columns === undefined
        ? { type: 'absent', hostname: 'vm-1' }
        : { type: vm?.status === 'in-use' ? 'assignment' : 'status', vm: columns }
    ) as VmState;
    this.handle({ type: 'row', message, frame });
  }

  drop(): void {
    // Without a socket everything gets lost.
    this.lossy = true;
    this.handle({ type: 'disconnected' });
    this.lossy = false;
  }

  commandEnds(code: number): void {
    if (this.command?.over !== false) return;
    const { id } = this.command;
    this.command = undefined;
    this.handle({ type: 'exited', assignmentId: id, exit: { code, signal: null } });
    this.handle({ type: 'group-ended', assignmentId: id });
  }

  /** Handles an event and those that follow; kills the agent after so many effects. */
  handle(event: AgentEvent, killAfter = Infinity): void {
    this.#events.push(event);
    let left = killAfter;
    for (;;) {
      const next = this.#events.shift();
      if (next === undefined || this.#left) return;
      const { state, effects } = reduce(this.policy, this.state, next, NOW);
      this.state = state;
      for (const effect of effects) {
        if (left-- <= 0) {
          this.kill();
          return;
        }
        this.#perform(effect);
      }
    }
  }

  /** The next agent first ends the running command, as the real one does. */
  kill(): void {
    this.#events = [];
    this.#launched = undefined;
    this.#left = false;
    const last = this.journal.entries.at(-1);
    const survives = last?.end !== undefined && this.command?.id === last.assignment_id;
    if (!survives) this.command = undefined;
    this.state = createInitialState(this.journal, survives ? last.assignment_id : undefined);
    this.handle({ type: 'start' });
  }

  #perform(effect: AgentEffect): void {
    switch (effect.do) {
      case 'save':
        this.journal = effect.journal;
        break;
      case 'launch': {
        const id = effect.vm.assignment_id;
        this.#launched = id;
        this.#events.unshift({ type: 'launched', assignmentId: id, leader: { pid: 1 } });
        break;
      }
      case 'start': {
        const { assignmentId: id } = effect;
        if (this.#launched !== id) throw new Error('started without being launched');
        if (this.command !== undefined) throw new Error(`${id} starts beside ${this.command.id}`);
        if (this.journal.entries.at(-1)?.assignment_id !== id)
          throw new Error('started before it was saved');
        this.command = { id, over: false };
        this.starts.set(id, (this.starts.get(id) ?? 0) + 1);
        break;
      }
      case 'terminate': {
        const { assignmentId: id } = effect;
        const command = this.command;
        if (command?.id === id && !command.over) {
          this.#events.push({
            type: 'exited',
            assignmentId: id,
            exit: { code: null, signal: 'SIGTERM' },
          });
        }
        this.command = undefined;
        this.#events.push({ type: 'group-ended', assignmentId: id });
        break;
      }
      case 'report': {
        const { assignment_id: id, end } = effect.entry;
        if (end === undefined) throw new Error('reported before its end');
        if (!this.reports.has(id)) this.reports.set(id, end.outcome);
        this.#events.push({ type: 'reported', assignmentId: id });
        break;
      }
      case 'acknowledge':
        if (!this.journal.entries.some((entry) => entry.assignment_id === effect.assignmentId)) {
          throw new Error('acknowledged before it was saved');
        }
        if (!this.lossy) this.acknowledged.add(effect.assignmentId);
        break;
      case 'fail-vm':
        if (this.formatId(this.row?.assignment ?? null) === effect.assignmentId && this.row) {
          this.row = { ...this.row, status: 'failed' };
        }
        break;
      case 'exit':
        this.#left = true;
        break;
      case 'print':
      case 'register':
      case 'set-deadline':
    }
  }
}

type Step = (world: World) => void;

const step: fc.Arbitrary<readonly [string, Step]> = fc.oneof(
  fc.constantFrom<readonly [string, Step]>(
    ['assign', (world) => world.assign()],
    ['release', (world) => (world.row = { status: 'available', assignment: null })],
    ['fail', (world) => world.row && (world.row = { ...world.row, status: 'failed' })],
    ['delete', (world) => (world.row = undefined)],
    ['send row', (world) => world.sendRow()],
    ['lose', (world) => (world.lossy = true)],
    ['drop', (world) => world.drop()],
    ['succeed', (world) => world.commandEnds(0)],
    ['break', (world) => world.commandEnds(1)],
    ['kill', (world) => world.kill()],
    [
      'stop',
      (world) => {
        world.handle({ type: 'stop' });
        world.kill();
      },
    ],
    [
      'daemonize',
      (world) => {
        if (world.command?.over !== false) return;
        world.command.over = true;
        const exit = { code: 0, signal: null };
        world.handle({ type: 'exited', assignmentId: world.command.id, exit });
      },
    ],
  ),
  fc.nat({ max: 8 }).map((effects): readonly [string, Step] => [
    `send row, killed after ${effects} effects`,
    (world) => {
      const { row: vm } = world;
      if (vm === undefined) return;
      const columns = row('vm-1', {
        status: vm.status,
        assignment_id: world.formatId(vm.assignment),
      });
      const type = vm.status === 'in-use' ? 'assignment' : 'status';
      world.handle({ type: 'row', message: { type, vm: columns } as VmState, frame: '' }, effects);
    },
  ]),
);

function check(policy: Policy, steps: readonly (readonly [string, Step])[]): void {
  const world = new World(policy);
  for (const [, run] of steps) run(world);
  // At the end the row is sent again, so that all messages arrive and all ends are reported.
  world.drop();
  for (let count = 0; count < 3; count++) world.sendRow();
  if (!policy.rerunInterrupted) {
    for (const [id, count] of world.starts) {
      if (count > 1) throw new Error(`${id} started ${count} times`);
    }
  }
  const current = world.row?.status === 'in-use' ? world.formatId(world.row.assignment) : undefined;
  if (typeof current === 'string') {
    if (!world.journal.entries.some(({ assignment_id: id }) => id === current))
      throw new Error('the current assignment was missed');
    if (!world.acknowledged.has(current))
      throw new Error('the current assignment is not acknowledged');
  }
  if (world.row !== undefined && world.command !== undefined) {
    const id = world.formatId(world.row.assignment);
    if (world.command.id !== id) throw new Error(`${world.command.id} runs, and ${id} is current`);
  }
  for (const { assignment_id: id, end } of world.journal.entries) {
    if (id === world.command?.id && !world.command.over) continue;
    const mayBeginAnew =
      policy.rerunInterrupted && id === world.formatId(world.row?.assignment ?? null);
    if (end === undefined && !mayBeginAnew && world.row !== undefined)
      throw new Error(`the end of ${id} is not recorded`);
    if (end !== undefined && !world.reports.has(id))
      throw new Error(`the end of ${id} is not reported`);
  }
}

for (const rerunInterrupted of [false, true]) {
  const policy: Policy = { act: 'run', rerunInterrupted, failVmOnError: false };
  t.test(`with${rerunInterrupted ? '' : 'out'} --rerun-interrupted`, async (t) => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }).map((steps) =>
          Object.assign(steps, {
            [fc.toStringMethod]: () => steps.map(([name]) => name).join(', '),
          }),
        ),
        (steps) => check(policy, steps),
      ),
      { numRuns: 3_000 },
    );
    t.pass();
  });
}
