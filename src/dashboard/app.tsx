// Chooses the page: the sign-in without a token, the console with one, or the reason why the
// gateway closed the session.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Closed } from '../client/index.js';
import { Console } from './console.js';
import { SessionEnded } from './components/session-ended.js';
import { SignIn } from './components/sign-in.js';
import { restoreToken, forgetToken, storeToken } from './session.js';

export function Dashboard(): JSX.Element {
  const [token, setToken] = useState(restoreToken);
  const [ended, setEnded] = useState<Closed | undefined>(undefined);
  const startSession = (fresh: string | undefined): void => {
    setEnded(undefined);
    setToken(fresh);
  };

  // A link with a token may be opened in a tab that already shows the page.
  useEffect(() => {
    const readLink = (): void => {
      if (location.hash.includes('token=')) startSession(restoreToken());
    };
    addEventListener('hashchange', readLink);
    return () => removeEventListener('hashchange', readLink);
  }, []);

  const signOut = (): void => {
    forgetToken();
    startSession(undefined);
  };
  const signIn = (pasted: string): void => {
    storeToken(pasted);
    startSession(pasted);
  };
  if (token === undefined) return <SignIn onToken={signIn} />;
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
  return <Console key={token} token={token} onEnded={setEnded} onSignOut={signOut} />;
}
