// Explains why the gateway closed the session for good, and what the user can do.

import type { Closed } from '../../client/index.js';
import { formatDateTime } from './time.js';
import type { UserClaims } from './token.js';

export interface CloseExplanation {
  readonly title: string;
  readonly text: string;
  /** The command that creates another token; undefined if that does not help. */
  readonly command?: string;
  readonly canRetry: boolean;
}

/** @param nowMs the gateway's time, in ms since the epoch. */
export function explainClose(
  { code, reason }: Closed,
  claims: UserClaims | undefined,
  nowMs: number,
): CloseExplanation {
  const role = claims?.role === 'admin' ? 'admin' : 'dashboard';
  const command = `lablink-gateway token --role ${role}`;
  if (code === 403 || code === 4403) {
    return {
      title: 'Not allowed',
      text: `A token with the role ${claims?.role ?? 'unknown'} may not watch the fleet. Use a token with the role dashboard or admin.`,
      command,
      canRetry: false,
    };
  }
  if (code !== 401 && code !== 4401) {
    return {
      title: 'The gateway closed the connection',
      text: 'The gateway asked this page not to reconnect automatically. You can try again.',
      canRetry: true,
    };
  }
  const expiresAtMs = claims?.expiresAtMs;
  const expired = reason.includes('token_expired') || (expiresAtMs ?? Infinity) <= nowMs;
  if (!expired) {
    return {
      title: 'Not accepted',
      text: 'The gateway does not accept this token. It may have been revoked, or signed with another secret.',
      command,
      canRetry: true,
    };
  }
  const when =
    expiresAtMs === undefined ? '' : ` It was valid until ${formatDateTime(expiresAtMs)}.`;
  return { title: 'Expired', text: `Your token has expired.${when}`, command, canRetry: false };
}
