// Brings a file elsewhere by a command of the operator's, such as `aws s3 cp {} s3://lablink-backups/`.

import { spawn } from 'node:child_process';
import { MaintenanceError } from './maintenance-error.js';

/** Refuses a command that would not get the file. */
export function checkUploadCommand(command: string): void {
  if (/\{\}|\$1|\$\{1\}/.test(command)) return;
  throw new MaintenanceError(
    'refused',
    'The upload command must have {} (or $1) where the file goes, as in: aws s3 cp {} s3://lablink-backups/',
  );
}

/**
 * Has /bin/sh run the command with the file as `$1`, and `{}` for `"$1"`: the name is never read as part of the command.
 * What it prints goes to stderr.
 * @throws MaintenanceError `failed` unless it ends with 0.
 */
export async function upload(
  command: string,
  file: string,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<void> {
  const child = spawn('/bin/sh', ['-c', command.replaceAll('{}', '"$1"'), 'sh', file], {
    env: environment,
    stdio: ['ignore', 2, 2],
    signal,
  });
  const how = await new Promise<string>((resolve) => {
    child.once('close', (code, by) => resolve(by ?? `exit code ${String(code)}`));
    child.once('error', (error) => resolve(error.message));
  });
  if (how === 'exit code 0') return;
  throw new MaintenanceError('failed', `The upload failed (${how}); the backup stays at ${file}.`);
}
