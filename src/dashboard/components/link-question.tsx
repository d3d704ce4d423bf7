// Asks before a link changes who is signed in: a link that another person made must not put this
// tab under another identity unseen.

import type { JSX } from 'preact';
import type { SignInLink } from '../model/sign-in-link.js';
import { decodeClaims } from '../model/token.js';
import { Brand } from './brand.js';

interface Props {
  readonly link: SignInLink;
  /** The token of this tab; undefined if no user is signed in. */
  readonly token: string | undefined;
  readonly onAccept: () => void;
  readonly onDecline: () => void;
}

export function LinkQuestion({ link, token, onAccept, onDecline }: Props): JSX.Element {
  const named = link.kind === 'token' ? describeUser(link.token) : undefined;
  const current = token === undefined ? undefined : describeUser(token);
  return (
    <main class="gate">
      <div class="gate-card" role="alertdialog" aria-label="Sign in with this link?">
        <Brand />
        <h1>Sign in with this link?</h1>
        <p>
          {named === undefined
            ? 'The link signs in as the user that it was made for.'
            : `The link has a token of ${named}.`}{' '}
          {current === undefined
            ? 'Accept it only if you made the link, or trust the person who did.'
            : `You are signed in as ${current}, and the link would replace that.`}
        </p>
        <div class="gate-buttons">
          <button class="button primary" type="button" onClick={onDecline}>
            {current === undefined ? 'Do not use the link' : 'Stay signed in'}
          </button>
          <button class="button" type="button" onClick={onAccept}>
            Use the link
          </button>
        </div>
      </div>
    </main>
  );
}

function describeUser(token: string): string {
  const claims = decodeClaims(token);
  return claims === undefined ? 'an unknown user' : `${claims.sub} (${claims.role})`;
}
