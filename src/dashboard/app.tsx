// Who is signed in decides what is shown: the sign-in, the fleet, or why there is none to see.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Closed } from '../client/index.js';
import { Console } from './console.js';
import { SessionEnded } from './components/session-ended.js';
import { SignIn } from './components/sign-in.js';
import { readToken, forgetToken, storeToken } from './session.js';

export function Dashboard(): JSX.Element {
  const [token, setToken] = useState(readToken);
  const [ended, setEnded] = useState<Closed | undefined>(undefined);
  const enter = (fresh: string | undefined): void => {
    setEnded(undefined);
    setToken(fresh);
  };

  // A link with a token may be opened in a tab that shows the page already.
  useEffect(() => {
    const look = (): void => {
      if (location.hash.includes('token=')) enter(readToken());
    };
    addEventListener('hashchange', look);
    return () => removeEventListener('hashchange', look);
  }, []);

  const signOut = (): void => {
    forgetToken();
    enter(undefined);
  };
  const signIn = (pasted: string): void => {
    storeToken(pasted);
    enter(pasted);
  };
  if (token === undefined) return <SignIn onToken={signIn} />;
  if (ended !== undefined) {
    return (
      <SessionEnded ended={ended} token={token} onRetry={() => enter(token)} onSignOut={signOut} />
    );
  }
  return <Console key={token} token={token} onEnded={setEnded} onSignOut={signOut} />;
}
