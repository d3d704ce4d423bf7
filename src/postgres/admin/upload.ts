// Uploads a file with the operator's command, such as `aws s3 cp {} s3://lablink-backups/`.

import { spawn } from 'node:child_process';
import { MaintenanceError } from './maintenance-error.js';

/** @throws MaintenanceError `refused` if the command does not name the file. */
export function checkUploadCommand(command: string): void {
  if (/\{\}|\$1|\$\{1\}/.test(command)) return;
  throw new MaintenanceError(
    'refused',
    'The upload command must contain {} (or $1) in the place of the file, as in: aws s3 cp {} s3://lablink-backups/',
  );
}

/**
 * Runs the command in /bin/sh with the file as `$1`, and `"$1"` for `{}`: the shell never
 * interprets the file's name. The command's output goes to stderr.
 *
 * @throws MaintenanceError `failed` unless the exit code is 0.
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
