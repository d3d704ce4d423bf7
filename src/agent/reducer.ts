// The agent's rules: an event changes the state and asks for effects. Pure: no I/O, no clock.
// README.md beside this file states the rules, and cases.json has examples of them that the Python
// agent is tested with too.
//
// The effects are carried out in order, each after the one before, and all before the next event.
// The journal is saved before a command starts, and no command starts while another one runs.

import type {
  AgentEffect,
  AgentEvent,
  AgentState,
  CommandGroup,
  Exit,
  Policy,
} from './agent-state.js';
import {
  amendEntry,
  appendEntry,
  findEntry,
  type Journal,
  type JournalEnd,
  type JournalEntry,
  type JournalOutcome,
} from './journal.js';

export interface Transition {
  readonly state: AgentState;
  readonly effects: readonly AgentEffect[];
}

/** @param now ISO 8601 in UTC. */
export function reduce(
  policy: Policy,
  state: AgentState,
  event: AgentEvent,
  now: string,
): Transition {
  const applied = applyEvent(policy, state, event, now);
  const reconciled = reconcile(policy, applied.state, now);
  return { state: reconciled.state, effects: [...applied.effects, ...reconciled.effects] };
}

/** The changes and effects that belong to the event itself. */
function applyEvent(policy: Policy, state: AgentState, event: AgentEvent, now: string): Transition {
  const { journal, group } = state;
  switch (event.type) {
    case 'row':
      return applyRow(policy, state, event);
    case 'launched': {
      const { assignmentId, leader } = event;
      const entry = { assignment_id: assignmentId, began_at: now, ...(leader && { leader }) };
      const launched = { assignmentId, exited: false, terminatedAs: undefined };
      const saved = save({ ...state, group: launched }, appendEntry(journal, entry));
      const acknowledged = sendOnce(saved, 'acknowledge', assignmentId);
      return withEffects(acknowledged, { do: 'start', assignmentId });
    }
    case 'exited':
      return applyExit(policy, state, event, now);
    case 'group-ended':
      return withoutEffects(
        group?.assignmentId === event.assignmentId ? { ...state, group: undefined } : state,
      );
    case 'reported':
      return save(state, amendEntry(journal, event.assignmentId, { reported: true }));
    case 'disconnected':
      return withoutEffects({ ...state, sent: undefined });
    case 'unavailable':
      return withoutEffects({ ...state, sent: state.sent && new Set() });
    case 'rejected':
      return withoutEffects({ ...state, exitReason: state.exitReason ?? 'rejected' });
    case 'stop':
      return withoutEffects({ ...state, exitReason: 'stopped' });
    case 'deadline':
      return withoutEffects({ ...state, deadlinePassed: true });
    case 'start': {
      const unreported = journal.entries.filter(isReportDue);
      return { state, effects: unreported.map((entry) => ({ do: 'report', entry })) };
    }
  }
}

function applyRow(
  { act }: Policy,
  state: AgentState,
  { message, frame }: Extract<AgentEvent, { type: 'row' }>,
): Transition {
  const isPrinted = act === 'print' && message.type !== 'assignment' && frame !== state.lastPrinted;
  const effects: AgentEffect[] = isPrinted ? [{ do: 'print', line: frame }] : [];
  const next = {
    ...state,
    sent: state.sent ?? new Set<string>(),
    registered: true,
    lastPrinted: isPrinted ? frame : state.lastPrinted,
  };
  if (message.type === 'absent') {
    // Only once: an admin who renames or deletes the row later does not want it back.
    if (!state.registered) effects.push({ do: 'register' });
    return { state: next, effects };
  }
  const { vm } = message;
  const { assignment_id: assignmentId } = vm;
  if (message.type === 'status')
    return { state: { ...next, row: { assignmentId, assignment: undefined } }, effects };
  // Without an identity (the triggers are disabled) an assignment could be run twice.
  if (assignmentId === null) return { state: next, effects };
  const assignment = { vm: { ...vm, assignment_id: assignmentId }, frame };
  return { state: { ...next, row: { assignmentId, assignment } }, effects };
}

function applyExit(
  policy: Policy,
  state: AgentState,
  { assignmentId, exit }: Extract<AgentEvent, { type: 'exited' }>,
  now: string,
): Transition {
  const { group, journal } = state;
  const isCurrent = group?.assignmentId === assignmentId;
  const terminatedAs = isCurrent ? group.terminatedAs : undefined;
  const next = { ...state, group: isCurrent ? { ...group, exited: true } : group };
  // The entry keeps no end, so that the command runs again.
  if (terminatedAs === 'interrupted' && policy.rerunInterrupted) return withoutEffects(next);
  // A command that could not be launched has no entry yet.
  const entry = findEntry(journal, assignmentId) ?? { assignment_id: assignmentId, began_at: now };
  const outcome = terminatedAs ?? classifyExit(policy, exit);
  const end = { at: now, outcome, exit_code: exit.code, signal: exit.signal };
  return recordEnds({ ...next, journal: appendEntry(journal, entry) }, [assignmentId], end);
}

function classifyExit({ act }: Policy, { code }: Exit): JournalOutcome {
  if (code !== 0) return 'failed';
  return act === 'print' ? 'printed' : 'succeeded';
}

/** Saves how these assignments ended, and reports it. */
function recordEnds(
  state: AgentState,
  assignmentIds: readonly string[],
  end: JournalEnd,
): Transition {
  let { journal } = state;
  for (const id of assignmentIds) journal = amendEntry(journal, id, { end });
  const entries = journal.entries.filter((entry) => assignmentIds.includes(entry.assignment_id));
  const reports = entries
    .filter(isReportDue)
    .map((entry): AgentEffect => ({ do: 'report', entry }));
  return withEffects(save(state, journal), ...reports);
}

/** Only the reader of a printed assignment knows how it ended, so the agent reports nothing. */
function isReportDue({ end, reported }: JournalEntry): boolean {
  return end !== undefined && end.outcome !== 'printed' && reported !== true;
}

/** The effects that the state asks for, whatever the last event was. */
function reconcile(policy: Policy, state: AgentState, now: string): Transition {
  const interrupted = state.journal.entries.filter((entry) => isInterrupted(policy, state, entry));
  const ids = interrupted.map(({ assignment_id }) => assignment_id);
  const end: JournalEnd = { at: now, outcome: 'interrupted', exit_code: null, signal: null };
  const recorded = ids.length === 0 ? withoutEffects(state) : recordEnds(state, ids, end);
  const next =
    state.exitReason === undefined
      ? enforceRow(policy, recorded.state)
      : prepareExit(policy, recorded.state);
  return { state: next.state, effects: [...recorded.effects, ...next.effects] };
}

/** Whether the command started, no longer runs, has no recorded end, and will not run again. */
function isInterrupted(policy: Policy, { group, row }: AgentState, entry: JournalEntry): boolean {
  const id = entry.assignment_id;
  if (entry.end !== undefined || group?.assignmentId === id) return false;
  const mayRunAgain = row === undefined || row.assignmentId === id;
  return !policy.rerunInterrupted || !mayRunAgain;
}

/** Runs the row's assignment, and no other. */
function enforceRow(policy: Policy, state: AgentState): Transition {
  const { row, group } = state;
  if (row === undefined || group?.terminatedAs !== undefined) return withoutEffects(state);
  if (group !== undefined && group.assignmentId !== row.assignmentId)
    return terminate(state, group, 'stopped');
  if (row.assignment === undefined) return withoutEffects(state);
  const { vm, frame } = row.assignment;
  const entry = findEntry(state.journal, vm.assignment_id);
  const isDue = entry === undefined || (entry.end === undefined && group === undefined);
  if (!isDue) return notifyGateway(policy, state, entry);
  return { state: { ...state, lastPrinted: frame }, effects: [{ do: 'launch', vm, frame }] };
}

/** Acknowledges the current assignment, and sets the VM failed if need be: once on each socket. */
function notifyGateway(
  policy: Policy,
  state: AgentState,
  { assignment_id: id, end }: JournalEntry,
): Transition {
  const acknowledged = sendOnce(withoutEffects(state), 'acknowledge', id);
  const fails =
    end?.outcome === 'interrupted' || (policy.failVmOnError && end?.outcome === 'failed');
  return fails ? sendOnce(acknowledged, 'fail-vm', id) : acknowledged;
}

/** A stopped agent ends its command. A rejected agent lets its command end by itself. */
function prepareExit(policy: Policy, state: AgentState): Transition {
  const { group, exitReason: reason = 'stopped', deadlinePassed, row, journal } = state;
  if (group !== undefined && !deadlinePassed) {
    if (reason === 'rejected' && !group.exited) return withoutEffects(state);
    if (reason === 'stopped') {
      const terminated =
        group.terminatedAs === undefined
          ? terminate(state, group, 'interrupted')
          : withoutEffects(state);
      return withEffects(terminated, { do: 'set-deadline' });
    }
  }
  const entry = row?.assignment && findEntry(journal, row.assignment.vm.assignment_id);
  const last =
    entry?.end === undefined ? withoutEffects(state) : notifyGateway(policy, state, entry);
  const isDone = deadlinePassed || !journal.entries.some(isReportDue);
  return withEffects(last, isDone ? { do: 'exit', reason } : { do: 'set-deadline' });
}

function terminate(
  state: AgentState,
  group: CommandGroup,
  terminatedAs: 'stopped' | 'interrupted',
): Transition {
  const { assignmentId } = group;
  const next = { ...state, group: { ...group, terminatedAs } };
  return { state: next, effects: [{ do: 'terminate', assignmentId }] };
}

function withoutEffects(state: AgentState): Transition {
  return { state, effects: [] };
}

function withEffects({ state, effects }: Transition, ...more: readonly AgentEffect[]): Transition {
  return { state, effects: [...effects, ...more] };
}

function save(state: AgentState, journal: Journal): Transition {
  return { state: { ...state, journal }, effects: [{ do: 'save', journal }] };
}

function sendOnce(
  { state, effects }: Transition,
  what: 'acknowledge' | 'fail-vm',
  id: string,
): Transition {
  const key = `${what} ${id}`;
  // Without a socket it would be lost. The row, which comes first on the next one, asks again.
  if (state.sent === undefined || state.sent.has(key)) return { state, effects };
  const sent = new Set(state.sent).add(key);
  return { state: { ...state, sent }, effects: [...effects, { do: what, assignmentId: id }] };
}
