// Chooses the page: the sign-in without a token, the console with one, or the reason why the
// gateway refused the session. A session that ends later keeps the console, with what it showed.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Closed } from '../client/index.js';
import { Console } from './console.js';
import { LinkQuestion } from './components/link-question.js';
import { SessionEnded } from './components/session-ended.js';
import { SignIn } from './components/sign-in.js';
import { forgetToken, restoreToken, storeToken } from './session.js';
import { useSignInLink } from './use-sign-in-link.js';

export function Dashboard(): JSX.Element {
  const [token, setToken] = useState(restoreToken);
  const [ended, setEnded] = useState<Closed | undefined>(undefined);
  const [attempt, setAttempt] = useState(1);
  const startSession = (fresh: string | undefined): void => {
    setEnded(undefined);
    setToken(fresh);
    setAttempt((count) => count + 1);
  };
  const signOut = (): void => {
    forgetToken();
    startSession(undefined);
  };
  const signIn = (pasted: string): void => {
    storeToken(pasted);
    startSession(pasted);
  };
  const { question, fault } = useSignInLink(token, signIn);

  if (question !== undefined) {
    return (
      <LinkQuestion
        link={question.link}
        token={token}
        onAccept={question.accept}
        onDecline={question.decline}
      />
    );
  }
  if (token === undefined) return <SignIn fault={fault} onToken={signIn} />;
  if (ended !== undefined) {
    return (
      <SessionEnded
        ended={ended}
        token={token}
        onRetry={() => startSession(token)}
        onSignOut={signOut}
      />
    );
  }
  return (
    <Console
      key={attempt}
      token={token}
      onRefused={setEnded}
      onRetry={() => startSession(token)}
      onSignOut={signOut}
    />
  );
}
