// How the command ends: what each exit code means, which failure gets which, and what is said of it.

import { inspect } from 'node:util';
import { CommanderError } from 'commander';
import { AgentError, AgentFileError } from '../agent/errors.js';
import { ConfigError } from '../config/load.js';
import { EmbeddedError } from '../postgres/embedded/errors.js';
import { isConnectionError } from '../postgres/errors.js';
import { MaintenanceError } from '../postgres/admin/maintenance-error.js';
import { SchemaError } from '../postgres/migrations/migrate.js';

export const ExitCode = {
  ok: 0,
  /** It worked and found something to look at, or a threshold was missed; or the program failed. */
  finding: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** The database cannot be reached. */
  unreachable: 3,
  /** The database's schema cannot be used by this program. */
  schema: 4,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The command line asks for what cannot be done. The message is for whoever typed it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * PostgreSQL's classes for a wrong role or password and for a database that does not exist, and the
 * codes of OpenSSL and Node for a certificate that does not pass: waiting does not help with these.
 */
const MISCONFIGURED = /^(28...|3D000|\w*CERT\w*|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/;
/** What pg says where TLS is asked for and the server has none. */
const NO_TLS = 'The server does not support SSL connections';

/** The exit code of what a subcommand threw; `finding` for what nobody expected. */
export function selectExitCode(error: unknown): ExitCode {
  return findExpectedCode(error) ?? ExitCode.finding;
}

/** What to tell of an error: its message where it was expected, all there is where it was not. */
export function explainError(error: unknown): string {
  if (!(error instanceof Error) || findExpectedCode(error) === undefined) return inspect(error);
  // Node's error for a name with several addresses, none of which answers, has no message.
  return error.message === '' ? `Cannot connect (${readErrorCode(error)})` : error.message;
}

function findExpectedCode(error: unknown): ExitCode | undefined {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  if (error instanceof ConfigError || error instanceof UsageError) return ExitCode.usage;
  if (error instanceof AgentFileError) return ExitCode.usage;
  if (error instanceof AgentError) return ExitCode.finding;
  if (error instanceof SchemaError) return ExitCode.schema;
  if (error instanceof EmbeddedError) return ExitCode.unreachable;
  if (error instanceof MaintenanceError) return selectMaintenanceCode(error);
  if (!(error instanceof Error)) return undefined;
  // A port that is taken, or not this user's to take.
  if ('syscall' in error && error.syscall === 'listen') return ExitCode.usage;
  if ('syscall' in error && error.syscall === 'connect') return ExitCode.unreachable;
  if (isConnectionError(error)) return ExitCode.unreachable;
  const misconfigured = MISCONFIGURED.test(readErrorCode(error)) || error.message === NO_TLS;
  return misconfigured ? ExitCode.usage : undefined;
}

function selectMaintenanceCode({ code }: MaintenanceError): ExitCode {
  if (code === 'unreachable') return ExitCode.unreachable;
  return code === 'failed' ? ExitCode.finding : ExitCode.usage;
}

function readErrorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
