// The sign-in: the user pastes a token, and its claims are shown before it is used.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { readGatewayTime } from '../clock.js';
import { formatRemaining } from '../model/time.js';
import { decodeClaims } from '../model/token.js';
import { Brand } from './brand.js';
import { CopyableCommand } from './copyable-command.js';

interface Props {
  /** Why a link could not be used. */
  readonly fault: string | undefined;
  readonly onToken: (token: string) => void;
}

export function SignIn({ fault, onToken }: Props): JSX.Element {
  const [text, setText] = useState('');
  const [rejected, setRejected] = useState(false);
  const token = text.trim();
  const submit = (event: Event): void => {
    event.preventDefault();
    if (decodeClaims(token) === undefined) setRejected(true);
    else onToken(token);
  };
  return (
    <main class="gate">
      <form class="gate-card" onSubmit={submit}>
        <Brand />
        <h1>Sign in</h1>
        {fault !== undefined && <p role="alert">{fault}</p>}
        <p>
          Paste a token with the role <b>dashboard</b> to watch, or <b>admin</b> to also make
          changes. It is kept for this tab only.
        </p>
        <label class="field">
          <span>Token</span>
          <input
            type="password"
            autocomplete="off"
            spellcheck={false}
            autofocus
            value={text}
            aria-describedby="token-says"
            aria-invalid={rejected}
            onInput={({ currentTarget }) => {
              setText(currentTarget.value);
              setRejected(false);
            }}
          />
        </label>
        <p class="hint" id="token-says" role="status">
          {rejected
            ? 'This is not a token: a token has three parts separated by dots.'
            : describeToken(token)}
        </p>
        <button class="button primary" type="submit" disabled={token === ''}>
          Sign in
        </button>
        <p class="hint">No token yet? Run this where the gateway runs, for a link:</p>
        <CopyableCommand text="lablink-gateway token --role dashboard --link" />
      </form>
    </main>
  );
}

function describeToken(token: string): string {
  const claims = decodeClaims(token);
  if (claims === undefined) return '';
  const { role, sub, expiresAtMs } = claims;
  const leftMs = (expiresAtMs ?? Infinity) - readGatewayTime();
  const validity = leftMs > 0 ? `valid for ${formatRemaining(leftMs)}` : 'expired';
  return `${role}, ${sub}${expiresAtMs === undefined ? '' : `, ${validity}`}`;
}
