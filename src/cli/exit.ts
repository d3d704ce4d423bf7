// How a command ends: the meaning of the exit codes, the code of each failure, and its message.

import { inspect } from 'node:util';
import { CommanderError } from 'commander';
import { AgentError, AgentFileError } from '../agent/errors.js';
import { ConfigError } from '../config/load.js';
import { EmbeddedError } from '../postgres/embedded/errors.js';
import { isConnectionError } from '../postgres/errors.js';
import { MaintenanceError } from '../postgres/admin/maintenance-error.js';
import { SchemaError } from '../postgres/migrations/migrate.js';
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
/** pg's message if TLS is required and the server does not support it. */
const NO_TLS = 'The server does not support SSL connections';

/** Selects the exit code for an error of a subcommand; `finding` for an unexpected error. */
export function selectExitCode(error: unknown): ExitCode {
  return findExpectedCode(error) ?? ExitCode.finding;
}

/** Formats an error: the message of an expected one, every detail of an unexpected one. */
export function explainError(error: unknown): string {
  if (!(error instanceof Error) || findExpectedCode(error) === undefined) return inspect(error);
  if ('syscall' in error && error.syscall === 'listen') return explainListenError(error);
  if ('syscall' in error && error.syscall === 'connect') return explainConnectError(error);
  // Node's error has no message if a name has several addresses and all fail.
  return error.message === '' ? `Cannot connect (${readErrorCode(error)})` : error.message;
}

/** The fields that Node adds to an error of the network. */
interface NetworkError extends Error {
  readonly code?: string;
  readonly address?: string;
  readonly port?: number;
}

function explainListenError({ code, address = '', port = 0, message }: NetworkError): string {
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} of ${address} is taken: choose another with --port or PORT.`;
    case 'EACCES':
      return `This user may not listen on port ${port}: choose one above 1023 with --port or PORT.`;
    case 'EADDRNOTAVAIL':
      return `This machine has no address ${address}: choose another with --host or HOST.`;
    default:
      return message;
  }
}

function explainConnectError({ code = '', address = '', port }: NetworkError): string {
  const place = port === undefined ? address : `${address}:${port}`;
  return code === 'ECONNREFUSED' || code === 'ENOENT'
    ? `${place} cannot be reached: no process listens there (${code}).`
    : `${place} cannot be reached (${code}).`;
}

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
