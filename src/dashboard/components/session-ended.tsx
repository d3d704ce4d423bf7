// Explains why the gateway closed the session and what the user can do: the token expired, is not
// allowed or not accepted, or the gateway asked not to reconnect.

import type { JSX } from 'preact';
import type { Closed } from '../../client/index.js';
import { formatDateTime } from '../model/time.js';
import { decodeClaims, type UserClaims } from '../model/token.js';
import { Brand } from './brand.js';
import { CopyableCommand } from './copyable-command.js';

interface Props {
  readonly ended: Closed;
  readonly token: string;
  readonly onRetry: () => void;
  readonly onSignOut: () => void;
}

export function SessionEnded({ ended, token, onRetry, onSignOut }: Props): JSX.Element {
  const { title, text, command, canRetry } = explainClose(ended, decodeClaims(token));
  return (
    <main class="gate">
      <div class="gate-card" role="alert">
        <Brand />
        <h1>{title}</h1>
        <p>{text}</p>
        {command !== undefined && <CopyableCommand text={command} />}
        <p class="hint">The gateway’s reason: {ended.reason}</p>
        <div class="gate-buttons">
          <button class="button primary" type="button" onClick={onSignOut}>
            Use another token
          </button>
          {canRetry && (
            <button class="button" type="button" onClick={onRetry}>
              Try again
            </button>
          )}
        </div>
      </div>
    </main>
  );
}

interface Explanation {
  readonly title: string;
  readonly text: string;
  readonly command?: string;
  readonly canRetry: boolean;
}

function explainClose({ code, reason }: Closed, claims: UserClaims | undefined): Explanation {
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
  const expired = reason.includes('token_expired') || (expiresAtMs ?? Infinity) <= Date.now();
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
