// How a command ends: the meaning of the exit codes, the code of each failure, and its message.

import { inspect } from 'node:util';
import { CommanderError } from 'commander';
import { AgentError, AgentFileError } from '../agent/errors.js';
import { ConfigError } from '../config/load.js';
import { EmbeddedError } from '../postgres/embedded/errors.js';
import { isConnectionError } from '../postgres/errors.js';
import { MaintenanceError } from '../postgres/admin/maintenance-error.js';
import { SchemaError } from '../postgres/migrations/migrate.js';
import { explainSystemError, NO_TLS } from './explain-system-error.js';
import { RefusedError, UnreachableGatewayError } from './vms/errors.js';
import { DatabaseWaitError } from './wait-for-database.js';

export const ExitCode = {
  ok: 0,
  /** The command found a problem, or missed a threshold; or the program failed. */
  finding: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** The database or the gateway cannot be reached. */
  unreachable: 3,
  /** This version cannot use the database's schema. */
  schema: 4,
  /** `db doctor` found a problem of severity `error`. */
  error: 5,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The command line is wrong. The message is for its user. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * PostgreSQL's classes for a wrong role or password and for a missing database, and the codes of
 * OpenSSL and Node for an invalid certificate: waiting does not help with these.
 */
const MISCONFIGURED = /^(28...|3D000|\w*CERT\w*|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/;
/** Selects the exit code for an error of a subcommand; `finding` for an unexpected error. */
export function selectExitCode(error: unknown): ExitCode {
  return findExpectedCode(error) ?? ExitCode.finding;
}

/**
 * Formats an error: a sentence for one that a person can mend, every detail of any other.
 *
 * @param details whether an unexpected error is shown with its stack
 */
export function explainError(error: unknown, details = true): string {
  if (!(error instanceof Error)) return inspect(error);
  const isExpected = findExpectedCode(error) !== undefined;
  // The errors of a command have sentences of their own.
  const sentence = isExpected && OWN_NAMES.test(error.name) ? undefined : explainSystemError(error);
  if (sentence !== undefined) return sentence;
  if (isExpected)
    // Node's error has no message if a name has several addresses and all fail.
    return error.message === '' ? `Cannot connect (${readErrorCode(error)})` : error.message;
  return details
    ? inspect(error)
    : `The program failed: ${error.message}. LOG_LEVEL=debug shows more.`;
}

/** The names of the errors of this program; those of Node and pg are `Error` or in lower case. */
const OWN_NAMES = /^(?!Error$|TypeError$|RangeError$|AggregateError$)[A-Z]/;

function findExpectedCode(error: unknown): ExitCode | undefined {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  if (error instanceof ConfigError || error instanceof UsageError) return ExitCode.usage;
  if (error instanceof AgentFileError) return ExitCode.usage;
  if (error instanceof AgentError) return ExitCode.finding;
  if (error instanceof RefusedError) return ExitCode.finding;
  if (error instanceof UnreachableGatewayError) return ExitCode.unreachable;
  if (error instanceof SchemaError) return ExitCode.schema;
  if (error instanceof DatabaseWaitError) return ExitCode.unreachable;
  if (error instanceof EmbeddedError) return ExitCode.unreachable;
  if (error instanceof MaintenanceError) return selectMaintenanceCode(error);
  if (!(error instanceof Error)) return undefined;
  // The port is taken, or this user may not listen on it.
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
