// The sign-in that a link's fragment carries: a one-time code or, in old links, a token. Pure.

/** The content of a link that signs in. */
export type SignInLink =
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'token'; readonly token: string };

/** Takes the sign-in out of a fragment, and returns the rest; undefined if there is none. */
export function extractLink(
  fragment: string,
): { readonly link: SignInLink; readonly rest: string } | undefined {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ''));
  const [code, token] = [parameters.get('code'), parameters.get('token')];
  if (code === null && token === null) return undefined;
  parameters.delete('code');
  parameters.delete('token');
  const text = parameters.toString();
  const link: SignInLink =
    code === null
      ? { kind: 'token', token: (token ?? '').trim() }
      : { kind: 'code', code: code.trim() };
  return { link, rest: text === '' ? '' : `#${text}` };
}

/**
 * Whether the user must be asked first. A link never replaces a user unasked, and a token is never
 * taken from a link unasked: its maker would see what the user does with it.
 */
export function mustAsk(link: SignInLink, hasToken: boolean): boolean {
  return hasToken || link.kind === 'token';
}
