// Chooses the page: the sign-in without a token, the console with one, or the reason why the
// gateway closed the session.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Closed } from '../client/index.js';
import { Console } from './console.js';
import { LinkQuestion } from './components/link-question.js';
import { SessionEnded } from './components/session-ended.js';
import { SignIn } from './components/sign-in.js';
import { exchangeCode, type ApiResult } from './api.js';
import { mustAsk, type SignInLink } from './model/sign-in-link.js';
import type { Problem } from './model/problem-labels.js';
import { forgetToken, readGatewayUrl, restoreToken, storeToken, takeLink } from './session.js';

export function Dashboard(): JSX.Element {
  const [token, setToken] = useState(restoreToken);
  const [link, setLink] = useState(takeLink);
  const [linkFault, setLinkFault] = useState<string | undefined>(undefined);
  const [ended, setEnded] = useState<Closed | undefined>(undefined);
  const startSession = (fresh: string | undefined): void => {
    setEnded(undefined);
    setToken(fresh);
  };

  // A link may be opened in a tab that already shows the page.
  useEffect(() => {
    const readLink = (): void => {
      const opened = takeLink();
      if (opened !== undefined) setLink(opened);
    };
    addEventListener('hashchange', readLink);
    return () => removeEventListener('hashchange', readLink);
  }, []);

  const signOut = (): void => {
    forgetToken();
    startSession(undefined);
  };
  const signIn = (pasted: string): void => {
    setLinkFault(undefined);
    storeToken(pasted);
    startSession(pasted);
  };
  const followLink = async (accepted: SignInLink): Promise<void> => {
    const result: ApiResult<string> =
      accepted.kind === 'token'
        ? { ok: true, value: accepted.token }
        : await exchangeCode(readGatewayUrl(), accepted.code);
    setLink(undefined);
    if (result.ok) signIn(result.value);
    else setLinkFault(describeLinkFault(result.problem));
  };
  const asks = link !== undefined && mustAsk(link, token !== undefined);
  useEffect(() => {
    if (link !== undefined && !asks) void followLink(link);
  }, [link, asks]);

  if (link !== undefined && asks) {
    return (
      <LinkQuestion
        link={link}
        token={token}
        onAccept={() => void followLink(link)}
        onDecline={() => setLink(undefined)}
      />
    );
  }
  if (token === undefined) return <SignIn fault={linkFault} onToken={signIn} />;
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

function describeLinkFault({ code, detail }: Problem): string {
  if (code === 'code_invalid') return 'This link was used, or is too old: make another one.';
  return `The link could not be used. ${detail || 'The gateway does not answer.'}`;
}
