// The page of a session that the gateway refused before it showed anything: the token expired, is
// not allowed or not accepted, or the gateway asked not to reconnect.

import type { JSX } from 'preact';
import type { Closed } from '../../client/index.js';
import { readGatewayTime } from '../clock.js';
import { explainClose } from '../model/close-labels.js';
import { describeReason, readReasonCode } from '../model/outage.js';
import { decodeClaims } from '../model/token.js';
import { Brand } from './brand.js';
import { CopyableCommand } from './copyable-command.js';

interface Props {
  readonly ended: Closed;
  readonly token: string;
  readonly onRetry: () => void;
  readonly onSignOut: () => void;
}

export function SessionEnded({ ended, token, onRetry, onSignOut }: Props): JSX.Element {
  const claims = decodeClaims(token);
  const { title, text, command, canRetry } = explainClose(ended, claims, readGatewayTime());
  return (
    <main class="gate">
      <div class="gate-card" role="alert">
        <Brand />
        <h1>{title}</h1>
        <p>{text}</p>
        {command !== undefined && <CopyableCommand text={command} />}
        <p class="hint">
          The gateway’s reason: {describeReason(ended.reason)}
          {readReasonCode(ended.reason)}
        </p>
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
