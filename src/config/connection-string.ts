// Splits PostgreSQL's connection strings as libpq does: `host=a port=5432` (keyword and value), and
// URLs with several hosts. Pure. pg-connection-string reads neither.

/** The hosts and ports that the text names, each a list with commas. */
export interface HostList {
  readonly host?: string;
  readonly port?: string;
}

/** A connection string, in the form that pg-connection-string reads. */
export interface SplitString extends HostList {
  /** Names no host if `host` is given. */
  readonly url: string;
  /** Given for keyword and value, because a URL's parser leaves some characters escaped. */
  readonly database?: string;
}

/** Whether the text is a URL of PostgreSQL. */
export const isDatabaseUrl = (text: string): boolean => /^postgres(ql)?:\/\//.test(text);

/** A list of `keyword = value`: the value is bare, or in single quotes; `\` escapes (libpq). */
const PAIR = /^\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?:\s+|$)/s;

/** Parses keyword and value. @returns undefined if the text is none */
export function parseKeywords(text: string): Map<string, string> | undefined {
  const keywords = new Map<string, string>();
  let rest = text.trim();
  while (rest !== '') {
    const [pair = '', keyword = '', quoted, bare] = PAIR.exec(rest) ?? [];
    if (pair === '') return undefined;
    keywords.set(keyword, (quoted ?? bare ?? '').replace(/\\(.)/gs, '$1'));
    rest = rest.slice(pair.length);
  }
  return keywords.size === 0 ? undefined : keywords;
}

/** Writes keywords as a URL without host and port. */
export function splitKeywords(keywords: ReadonlyMap<string, string>): SplitString {
  const query = new URLSearchParams();
  for (const [keyword, value] of keywords) {
    if (!['host', 'port', 'dbname'].includes(keyword)) query.set(keyword, value);
  }
  const database = keywords.get('dbname');
  return {
    // A space as `%20`: pg-connection-string does not know `+`.
    url: `postgresql:///?${query.toString().replaceAll('+', '%20')}`,
    ...pickHosts(keywords.get('host'), keywords.get('port')),
    ...(database === undefined ? {} : { database }),
  };
}

const URL_PARTS = /^(postgres(?:ql)?:\/\/(?:[^@/?]*@)?)([^/?]*)([^?]*)(\?.*)?$/s;

/**
 * Takes several hosts or ports out of a URL; any other URL stays as it is.
 * @returns undefined if the list of hosts cannot be read
 */
export function splitUrl(url: string): SplitString | undefined {
  const [, start = '', authority = '', path = '', queryText = ''] = URL_PARTS.exec(url) ?? [];
  const query = new URLSearchParams(queryText);
  const inQuery = pickHosts(query.get('host') ?? undefined, query.get('port') ?? undefined);
  const isList = [authority, inQuery.host, inQuery.port].some((part) => part?.includes(','));
  if (!isList) return { url };
  const listed = readAuthority(authority);
  if (listed === undefined) return undefined;
  query.delete('host');
  query.delete('port');
  const rest = query.toString().replaceAll('+', '%20');
  return {
    url: `${start}${path === '' ? '/' : path}${rest === '' ? '' : `?${rest}`}`,
    ...pickHosts(inQuery.host ?? listed.host, inQuery.port ?? listed.port),
  };
}

const pickHosts = (host: string | undefined, port: string | undefined): HostList => ({
  ...(host === undefined || host === '' ? {} : { host }),
  ...(port === undefined || port === '' ? {} : { port }),
});

/** Reads `a:1,[::1]:2,b`. A host without a port has an empty one in the list. */
function readAuthority(authority: string): HostList | undefined {
  const hosts: string[] = [];
  const ports: string[] = [];
  for (const part of authority.split(',')) {
    const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d*))?$/.exec(part);
    if (match === null) return undefined;
    const name = match[1] ?? match[2] ?? '';
    try {
      hosts.push(decodeURIComponent(name));
    } catch {
      return undefined;
    }
    ports.push(match[3] ?? '');
  }
  const hasPort = ports.some((port) => port !== '');
  return pickHosts(hosts.join(','), hasPort ? ports.join(',') : undefined);
}
