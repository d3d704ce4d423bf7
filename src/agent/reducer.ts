// What an agent does, decided: an event comes in, the next state and the actions come out. Pure: no I/O, no clock. The
// actions are done in their order, each when the one before is done, and before the next event is looked at. The journal
// is saved before a command begins, and no command begins beside another.

import type { Action, AgentState, Event, Exit, Group, Policy } from './agent-state.js';
import {
  amended,
  begun,
  entryOf,
  type End,
  type Entry,
  type Journal,
  type Outcome,
} from './journal.js';

export interface Decision {
  readonly state: AgentState;
  readonly actions: readonly Action[];
}

/** @param now ISO 8601 in UTC. */
export function decide(policy: Policy, state: AgentState, event: Event, now: string): Decision {
  const taken = take(policy, state, event, now);
  const settled = settle(policy, taken.state, now);
  return { state: settled.state, actions: [...taken.actions, ...settled.actions] };
}

/** What the event itself changes and asks for. */
function take(policy: Policy, state: AgentState, event: Event, now: string): Decision {
  const { journal, group } = state;
  switch (event.type) {
    case 'told':
      return hear(policy, state, event);
    case 'launched': {
      const { assignmentId, leader } = event;
      const entry = { assignment_id: assignmentId, began_at: now, ...(leader && { leader }) };
      const next = { assignmentId, over: false, ending: undefined };
      const decision = save({ ...state, group: next }, begun(journal, entry));
      return then(say(decision, 'acknowledge', assignmentId), { do: 'begin', assignmentId });
    }
    case 'over':
      return end(policy, state, event, now);
    case 'gone':
      return nothing(
        group?.assignmentId === event.assignmentId ? { ...state, group: undefined } : state,
      );
    case 'reported':
      return save(state, amended(journal, event.assignmentId, { reported: true }));
    case 'disconnected':
    case 'unavailable':
      return nothing({ ...state, said: new Set() });
    case 'refused':
      return nothing({ ...state, leaving: state.leaving ?? 'refused' });
    case 'stop':
      return nothing({ ...state, leaving: 'told-to' });
    case 'late':
      return nothing({ ...state, late: true });
    case 'start': {
      const unreported = journal.entries.filter(isToReport);
      return { state, actions: unreported.map((entry) => ({ do: 'report', entry })) };
    }
  }
}

function hear(
  { act }: Policy,
  state: AgentState,
  { message, frame }: Extract<Event, { type: 'told' }>,
): Decision {
  const isNews = act === 'print' && message.type !== 'assignment' && frame !== state.printed;
  const actions: Action[] = isNews ? [{ do: 'print', line: frame }] : [];
  const next = { ...state, registered: true, printed: isNews ? frame : state.printed };
  if (message.type === 'absent') {
    // Once: a row that is renamed away, or was deleted, is not to be made again behind an admin's back.
    if (!state.registered) actions.push({ do: 'register' });
    return { state: next, actions };
  }
  const { vm } = message;
  const { assignment_id: assignmentId } = vm;
  if (message.type === 'status') {
    return { state: { ...next, told: { assignmentId, assignment: undefined } }, actions };
  }
  // One without an identity (the triggers are off) could be run twice.
  if (assignmentId === null) return { state: next, actions };
  const assignment = { vm: { ...vm, assignment_id: assignmentId }, frame };
  return { state: { ...next, told: { assignmentId, assignment } }, actions };
}

/** The command's first process has ended. */
function end(
  policy: Policy,
  state: AgentState,
  { assignmentId, exit }: Extract<Event, { type: 'over' }>,
  now: string,
): Decision {
  const { group, journal } = state;
  const ending = group?.assignmentId === assignmentId ? group.ending : undefined;
  const next = group && { ...group, over: group.over || group.assignmentId === assignmentId };
  // It stays open in the journal, to begin anew.
  if (ending === 'interrupted' && policy.rerunInterrupted)
    return nothing({ ...state, group: next });
  // One that could not even be launched has no entry yet.
  const entry = entryOf(journal, assignmentId) ?? { assignment_id: assignmentId, began_at: now };
  const outcome = ending ?? outcomeOf(policy, exit);
  return close({ ...state, group: next, journal: begun(journal, entry) }, [assignmentId], {
    at: now,
    outcome,
    exit_code: exit.code,
    signal: exit.signal,
  });
}

function outcomeOf({ act }: Policy, { code }: Exit): Outcome {
  if (code !== 0) return 'failed';
  return act === 'print' ? 'printed' : 'succeeded';
}

/** Writes down how these assignments ended, and reports it. */
function close(state: AgentState, assignmentIds: readonly string[], end: End): Decision {
  let { journal } = state;
  for (const id of assignmentIds) journal = amended(journal, id, { end });
  const entries = journal.entries.filter((entry) => assignmentIds.includes(entry.assignment_id));
  const reports = entries.filter(isToReport).map((entry): Action => ({ do: 'report', entry }));
  return then(save(state, journal), ...reports);
}

/** Of a printed assignment only who reads it knows how it ended. */
function isToReport({ end, reported }: Entry): boolean {
  return end !== undefined && end.outcome !== 'printed' && reported !== true;
}

/** What is to be done by how things stand, whatever event led there. */
function settle(policy: Policy, state: AgentState, now: string): Decision {
  const cutOff = state.journal.entries.filter((entry) => isCutOff(policy, state, entry));
  const ids = cutOff.map(({ assignment_id }) => assignment_id);
  const end: End = { at: now, outcome: 'interrupted', exit_code: null, signal: null };
  const closed = ids.length === 0 ? nothing(state) : close(state, ids, end);
  const settled =
    state.leaving === undefined ? follow(policy, closed.state) : leave(policy, closed.state);
  return then({ ...settled, actions: [...closed.actions, ...settled.actions] });
}

/** Whether it was begun, runs no more, did not end, and is not going to begin anew. */
function isCutOff(policy: Policy, { group, told }: AgentState, entry: Entry): boolean {
  const id = entry.assignment_id;
  if (entry.end !== undefined || group?.assignmentId === id) return false;
  const mayBeginAnew = told === undefined || told.assignmentId === id;
  return !policy.rerunInterrupted || !mayBeginAnew;
}

/** Brings about what the row tells of: its assignment in force, and no other. */
function follow(policy: Policy, state: AgentState): Decision {
  const { told, group } = state;
  if (told === undefined || group?.ending !== undefined) return nothing(state);
  if (group !== undefined && group.assignmentId !== told.assignmentId)
    return endGroup(state, group, 'stopped');
  if (told.assignment === undefined) return nothing(state);
  const { vm, frame } = told.assignment;
  const entry = entryOf(state.journal, vm.assignment_id);
  const isNew = entry === undefined || (entry.end === undefined && group === undefined);
  if (!isNew) return tell(policy, state, entry);
  return { state: { ...state, printed: frame }, actions: [{ do: 'launch', vm, frame }] };
}

/** Says what the gateway has to know of the current assignment, once on each socket. */
function tell(policy: Policy, state: AgentState, { assignment_id: id, end }: Entry): Decision {
  const acknowledged = say(nothing(state), 'acknowledge', id);
  const fails =
    end?.outcome === 'interrupted' || (policy.failVmOnError && end?.outcome === 'failed');
  return fails ? say(acknowledged, 'fail-vm', id) : acknowledged;
}

/** Told to end, it ends its command too; refused, it lets the command end by itself. */
function leave(policy: Policy, state: AgentState): Decision {
  const { group, leaving: why = 'told-to', late, told, journal } = state;
  if (group !== undefined && !late) {
    if (why === 'refused' && !group.over) return nothing(state);
    if (why === 'told-to') {
      const ending =
        group.ending === undefined ? endGroup(state, group, 'interrupted') : nothing(state);
      return then(ending, { do: 'hurry' });
    }
  }
  const entry = told?.assignment && entryOf(journal, told.assignment.vm.assignment_id);
  const last = entry?.end === undefined ? nothing(state) : tell(policy, state, entry);
  const isDone = late || !journal.entries.some(isToReport);
  return then(last, isDone ? { do: 'leave', why } : { do: 'hurry' });
}

function endGroup(state: AgentState, group: Group, as: 'stopped' | 'interrupted'): Decision {
  const { assignmentId } = group;
  const next = { ...state, group: { ...group, ending: as } };
  return { state: next, actions: [{ do: 'end', assignmentId }] };
}

function nothing(state: AgentState): Decision {
  return { state, actions: [] };
}

function save(state: AgentState, journal: Journal): Decision {
  return { state: { ...state, journal }, actions: [{ do: 'save', journal }] };
}

function then({ state, actions }: Decision, ...more: readonly Action[]): Decision {
  return { state, actions: [...actions, ...more] };
}

function say({ state, actions }: Decision, what: 'acknowledge' | 'fail-vm', id: string): Decision {
  const key = `${what} ${id}`;
  if (state.said.has(key)) return { state, actions };
  const said = new Set(state.said).add(key);
  return { state: { ...state, said }, actions: [...actions, { do: what, assignmentId: id }] };
}
