// The cases that both agents are tested with, and their notation: README.md beside cases.json
// describes it. Runs them against the reducer and the state file in TypeScript.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createInitialState,
  type AgentEffect,
  type AgentEvent,
  type Policy,
} from '../../src/agent/agent-state.js';
import { AgentFileError } from '../../src/agent/errors.js';
import type { Journal, JournalEntry } from '../../src/agent/journal.js';
import { reduce } from '../../src/agent/reducer.js';
import { openStateFile } from '../../src/agent/state-file.js';
import { row } from '../client/rows.js';

export interface ReducerCase {
  readonly name: string;
  readonly policy: Policy;
  readonly journal: string;
  readonly survivor?: string;
  /** An event and its effects. */
  readonly steps: readonly (readonly string[])[];
}

export interface StateFileCase {
  readonly name: string;
  readonly text: string;
  readonly accepted: boolean;
}

export interface Cases {
  readonly reducer: readonly ReducerCase[];
  readonly stateFile: readonly StateFileCase[];
}

const NOW = '2030-01-01T00:00:00.000Z';

export async function readCases(): Promise<Cases> {
  return JSON.parse(await readFile('src/agent/cases.json', 'utf8')) as Cases;
}

/** Runs the events of a case. Returns each event with the effects that follow it. */
export function runReducerCase({ policy, journal, survivor, steps }: ReducerCase): string[][] {
  let state = createInitialState(parseJournal(journal), survivor);
  return steps.map(([event = '']) => {
    const transition = reduce(policy, state, parseEvent(event), NOW);
    state = transition.state;
    return [event, ...transition.effects.map(formatEffect)];
  });
}

/** Returns whether the state file accepts this content and keeps it when it saves. */
export async function runStateFileCase(folder: string, { text }: StateFileCase): Promise<boolean> {
  const path = join(folder, 'state');
  await writeFile(path, text);
  try {
    const file = await openStateFile(path);
    await file.save(file.journal);
    await file.release();
  } catch (error) {
    if (error instanceof AgentFileError) return false;
    throw error;
  }
  const saved: unknown = JSON.parse(await readFile(path, 'utf8'));
  return JSON.stringify(saved) === JSON.stringify(JSON.parse(text));
}

function parseJournal(text: string): Journal {
  const entries = text.split(' ').filter(Boolean).map(parseEntry);
  return { format: 1, entries };
}

function parseEntry(text: string): JournalEntry {
  const [, id = '', outcome = '', mark] = /^(.+):([a-z]+)(\+?)$/.exec(text) ?? [];
  const entry = { assignment_id: id, began_at: NOW };
  if (outcome === 'open') return entry;
  const end = { at: NOW, outcome, exit_code: null, signal: null } as JournalEntry['end'];
  return { ...entry, ...(end && { end }), ...(mark === '+' ? { reported: true } : {}) };
}

function parseEvent(text: string): AgentEvent {
  const [type = '', first = '', second = ''] = text.split(' ');
  switch (type) {
    case 'row': {
      const assignment_id = second === '-' ? null : second;
      const message =
        first === 'absent'
          ? { type: 'absent' as const, hostname: 'vm-1' }
          : { type: first as 'assignment' | 'status', vm: row('vm-1', { assignment_id }) };
      return { type: 'row', message, frame: text };
    }
    case 'exited': {
      const code = /^\d+$/.test(second) ? Number(second) : null;
      const signal = second.startsWith('SIG') ? second : null;
      return { type, assignmentId: first, exit: { code, signal } };
    }
    default: {
      const event = first === '' ? { type } : { type, assignmentId: first };
      return event as AgentEvent;
    }
  }
}

function formatEffect(effect: AgentEffect): string {
  switch (effect.do) {
    case 'save':
      return ['save', ...effect.journal.entries.map(formatEntry)].join(' ');
    case 'launch':
      return `launch ${effect.vm.assignment_id}`;
    case 'report':
      return `report ${formatEntry(effect.entry)}`;
    case 'print':
      return `print ${effect.line}`;
    case 'exit':
      return `exit ${effect.reason}`;
    case 'register':
    case 'set-deadline':
      return effect.do;
    default:
      return `${effect.do} ${effect.assignmentId}`;
  }
}

function formatEntry({ assignment_id: id, end, reported }: JournalEntry): string {
  return `${id}:${end?.outcome ?? 'open'}${reported === true ? '+' : ''}`;
}
