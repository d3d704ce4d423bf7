// Signs in by the link in the page's address: at once where there is no identity, and else after a
// question. A link never replaces an identity silently.

import { useEffect, useState } from 'preact/hooks';
import { exchangeCode, type ApiResult } from './api.js';
import type { Problem } from './model/problem-labels.js';
import { mustAsk, type SignInLink } from './model/sign-in-link.js';
import { readGatewayUrl, takeLink } from './session.js';

export interface PendingLink {
  readonly link: SignInLink;
  readonly accept: () => void;
  readonly decline: () => void;
}

export interface SignInByLink {
  /** The question before the link is followed; undefined if there is none. */
  readonly question: PendingLink | undefined;
  /** Why the last link could not be used, for people. */
  readonly fault: string | undefined;
}

/**
 * @param token the identity that a link would replace
 * @param signIn called with the token of a link
 */
export function useSignInLink(
  token: string | undefined,
  signIn: (token: string) => void,
): SignInByLink {
  const [link, setLink] = useState(takeLink);
  const [fault, setFault] = useState<string | undefined>(undefined);
  useLinksOpenedLater(setLink);

  const follow = async (accepted: SignInLink): Promise<void> => {
    const result = await resolveToken(accepted);
    setLink(undefined);
    setFault(result.ok ? undefined : describeFault(result.problem));
    if (result.ok) signIn(result.value);
  };
  const asks = link !== undefined && mustAsk(link, token !== undefined);
  useEffect(() => {
    if (link !== undefined && !asks) void follow(link);
  }, [link, asks]);

  if (link === undefined || !asks) return { question: undefined, fault };
  const accept = (): void => void follow(link);
  return { question: { link, accept, decline: () => setLink(undefined) }, fault };
}

/** A link may be opened in a tab that already shows the page. */
function useLinksOpenedLater(setLink: (link: SignInLink) => void): void {
  useEffect(() => {
    const readLink = (): void => {
      const opened = takeLink();
      if (opened !== undefined) setLink(opened);
    };
    addEventListener('hashchange', readLink);
    return () => removeEventListener('hashchange', readLink);
  }, []);
}

async function resolveToken(link: SignInLink): Promise<ApiResult<string>> {
  return link.kind === 'token'
    ? { ok: true, value: link.token }
    : exchangeCode(readGatewayUrl(), link.code);
}

function describeFault({ code, detail }: Problem): string {
  if (code === 'code_invalid') return 'This link was used, or is too old: make another one.';
  return `The link could not be used. ${detail || 'The gateway does not answer.'}`;
}
