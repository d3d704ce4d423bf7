// The state file: the journal on disk. It is whole at every moment, whatever is cut off; what was saved is there after a
// crash of the machine; and one agent at a time has it. A file that cannot be read is never taken for an empty one.

import { mkdir, open, readFile, realpath, rename } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Compile } from 'typebox/compile';
import { releaseLock, takeLock, describeThisProcess } from '../processes/lock-file.js';
import { readSystemCode } from '../processes/system-code.js';
import { AgentError, AgentFileError } from './errors.js';
import { EMPTY_JOURNAL, Journal } from './journal.js';

const journalCheck = Compile(Journal);

export interface StateFile {
  /** Absolute, without links. */
  readonly path: string;
  /** What it held when it was opened. */
  readonly journal: Journal;
  /** Resolves once it would survive a crash. @throws AgentError */
  readonly save: (journal: Journal) => Promise<void>;
  /** Lets another agent have it. */
  readonly release: () => Promise<void>;
}

/**
 * Takes the file for this process, and makes its folder (0700) if need be.
 * @throws AgentFileError when another process has it, or it cannot be read or written.
 */
export async function openStateFile(name: string): Promise<StateFile> {
  try {
    const folder = dirname(resolve(name));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // One that is a link is replaced where it leads to.
    const path = await realpath(name).catch(async () =>
      join(await realpath(folder), basename(name)),
    );
    const lock = `${path}.lock`;
    const text = JSON.stringify(await describeThisProcess());
    const holder = await takeLock(lock, text);
    if (holder !== undefined) {
      throw new AgentFileError(`Another agent (pid ${holder.pid}) uses the state file ${path}.`);
    }
    const release = (): Promise<void> => releaseLock(lock, text);
    try {
      const journal = await readJournal(path);
      // Now rather than when an assignment is there.
      await replaceFile(path, JSON.stringify(journal));
      return { path, journal, save: (next) => saveJournal(path, next), release };
    } catch (error) {
      await release();
      throw error;
    }
  } catch (error) {
    throw unusable(name, error);
  }
}

async function saveJournal(path: string, journal: Journal): Promise<void> {
  await replaceFile(path, JSON.stringify(journal)).catch((cause: unknown) => {
    throw new AgentError(`The state file ${path} cannot be written: ${String(cause)}`, { cause });
  });
}

async function readJournal(path: string): Promise<Journal> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (readSystemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return EMPTY_JOURNAL;
  const content = parse(text);
  if (journalCheck.Check(content)) return content;
  throw new AgentFileError(
    `The state file ${path} is not one that this agent wrote. Which assignments were handled is not known: look what ` +
      'was run, then remove the file; the current assignment will be begun.',
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Gives `path` this content, 0600, at once and for good: data, name and folder are flushed in this order. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** @returns what to throw: what the system refuses is told as such, all else is a bug. */
function unusable(path: string, error: unknown): unknown {
  if (readSystemCode(error) === undefined || !(error instanceof Error)) return error;
  return new AgentFileError(`The state file ${path} cannot be used: ${error.message}`, {
    cause: error,
  });
}
