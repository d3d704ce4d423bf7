// Why a request did not reach the gateway, in words for a person. Node puts the system's error
// into `cause` of the error that `fetch` throws; a browser hides the reason from programs.

const TIMEOUTS = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT']);

/** Certificate errors of Node's `tls` and OpenSSL, by the parts that their codes have in common. */
const CERTIFICATE_CODE = /CERT|UNABLE_TO_|SELF_SIGNED|ERR_TLS_CERT/;

/** @param error what `fetch` threw. */
export function describeNetworkError(error: unknown): string {
  const unreachable = 'the gateway cannot be reached';
  const { code, message } = findSystemError(error);
  if (code === undefined) {
    return error instanceof TypeError && 'location' in globalThis
      ? `${unreachable}, or it does not allow this page's origin: the browser does not say which`
      : `${unreachable}: ${message}`;
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `${unreachable}: its host name is not found in DNS (${message})`;
  if (code === 'ECONNREFUSED') return `${unreachable}: no process listens there (${message})`;
  if (TIMEOUTS.has(code)) return `${unreachable}: it does not answer in time (${message})`;
  if (CERTIFICATE_CODE.test(code))
    return `${unreachable}: its TLS certificate is not trusted (${message}, ${code})`;
  return `${unreachable}: ${message} (${code})`;
}

/** The innermost error that has a `code`: `fetch` and Happy Eyeballs wrap it. */
function findSystemError(error: unknown): { code: string | undefined; message: string } {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) };
  const { message, cause } = error;
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  const inner = cause ?? first;
  if (inner instanceof Error) {
    const found = findSystemError(inner);
    if (found.code !== undefined) return found;
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { code, message };
}
