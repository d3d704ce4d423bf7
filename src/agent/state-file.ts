// The state file: the journal on disk. It is complete at every moment, and survives a crash of the
// machine once it is saved. A single agent at a time uses it. An unreadable file is never treated
// as an empty file.

import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Compile } from 'typebox/compile';
import { releaseLock, takeLock, describeThisProcess } from '../processes/lock-file.js';
import { replaceFile } from '../processes/replace-file.js';
import { readSystemCode } from '../processes/system-code.js';
import { AgentError, AgentFileError } from './errors.js';
import { EMPTY_JOURNAL, Journal } from './journal.js';
import { makeFolder } from '../processes/make-folder.js';

const journalCheck = Compile(Journal);

export interface StateFile {
  /** Absolute, with all links resolved. */
  readonly path: string;
  /** The content of the file when it was opened. */
  readonly journal: Journal;
  /** Resolves once the journal would survive a crash. @throws AgentError */
  readonly save: (journal: Journal) => Promise<void>;
  /** Releases the lock, so that another agent can open the file. */
  readonly release: () => Promise<void>;
}

/**
 * Locks the file for this process, and creates its folder (0700) if there is none.
 * @throws AgentFileError if another process has the lock, or the file cannot be read or written.
 */
export async function openStateFile(name: string): Promise<StateFile> {
  try {
    const folder = dirname(resolve(name));
    await makeFolder(folder, 0o700);
    // If the state file is a symlink, replace its target.
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
      // A file that cannot be written must fail at the start, not at an assignment.
      await replaceFile(path, JSON.stringify(journal));
      return { path, journal, save: (next) => saveJournal(path, next), release };
    } catch (error) {
      await release();
      throw error;
    }
  } catch (error) {
    throw explainFailure(name, error);
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
    `The state file ${path} was not written by this agent, so the assignments that were run are unknown. ` +
      'Check which commands have run, then remove the file. The current assignment will then be run.',
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns the error to throw. An error of the system is explained; any other one is a bug. */
function explainFailure(path: string, error: unknown): unknown {
  if (readSystemCode(error) === undefined || !(error instanceof Error)) return error;
  return new AgentFileError(`The state file ${path} cannot be used: ${error.message}`, {
    cause: error,
  });
}
