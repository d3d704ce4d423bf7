// Who is signed in decides what is shown: the sign-in, the fleet, or why there is none to see.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Closed } from '../client/index.js';
import { Console } from './console.js';
import { Ended } from './components/ended.js';
import { SignIn } from './components/sign-in.js';
import { currentToken, forgetToken, keepToken } from './session.js';

export function App(): JSX.Element {
  const [token, setToken] = useState(currentToken);
  const [ended, setEnded] = useState<Closed | undefined>(undefined);
  const enter = (fresh: string | undefined): void => {
    setEnded(undefined);
    setToken(fresh);
  };

  // A link with a token may be opened in a tab that shows the page already.
  useEffect(() => {
    const look = (): void => {
      if (location.hash.includes('token=')) enter(currentToken());
    };
    addEventListener('hashchange', look);
    return () => removeEventListener('hashchange', look);
  }, []);

  const signOut = (): void => {
    forgetToken();
    enter(undefined);
  };
  const signIn = (pasted: string): void => {
    keepToken(pasted);
    enter(pasted);
  };
  if (token === undefined) return <SignIn onToken={signIn} />;
  if (ended !== undefined) {
    return <Ended ended={ended} token={token} onRetry={() => enter(token)} onSignOut={signOut} />;
  }
  return <Console key={token} token={token} onEnded={setEnded} onSignOut={signOut} />;
}
