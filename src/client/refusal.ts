// Why an upgrade was refused. A WebSocket does not say, so the same URL is asked over HTTP. Only the gateway's own
// word (a problem, RFC 9457) ends a client for good: a page from a proxy on the way may be gone tomorrow.

import { CONNECT_TIMEOUT_MS, type Ending } from './link.js';
import type { Runtime } from './runtime.js';

interface Problem {
  readonly code: string;
  readonly detail: string;
}

/** Asks `url` (http or https). Never rejects; when `signal` aborts it ends soon, with any answer. */
export async function askReason(
  url: string,
  token: string,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<Ending> {
  const deadline = new AbortController();
  const abort = (): void => deadline.abort();
  const cancel = runtime.after(CONNECT_TIMEOUT_MS, abort);
  signal.addEventListener('abort', abort);
  try {
    const response = await runtime.fetch(url, {
      headers: { authorization: `Bearer ${token}` },
      redirect: 'manual',
      signal: deadline.signal,
    });
    return await judge(response);
  } catch {
    return { return: 'soon', reason: 'the gateway cannot be reached' };
  } finally {
    cancel();
    signal.removeEventListener('abort', abort);
  }
}

async function judge(response: Response): Promise<Ending> {
  const problem = await readProblem(response);
  const code = response.status;
  const reason =
    problem === undefined ? `HTTP ${code}` : `HTTP ${code} ${problem.code}: ${problem.detail}`;
  const notBeforeMs = retryAfterMs(response.headers.get('retry-after'));

  if (code === 401) return { return: 'new-token', reason, code };
  if (code >= 500) return { return: 'soon', reason, code, notBeforeMs };
  // The state of a VM without a row is 404, but its socket is opened: what refused it is over.
  if (response.ok || problem?.code === 'vm_not_found') {
    const hint =
      'answers HTTP, but no WebSocket was opened; has it room for one more, and does a proxy forward the upgrade?';
    return { return: 'soon', reason: `the gateway ${hint}`, code };
  }
  if (problem === undefined || code === 429) return { return: 'later', reason, code, notBeforeMs };
  if (problem.code === 'invalid_cursor') return { return: 'soon', reason, code, startOver: true };
  return { return: 'no', reason, code };
}

async function readProblem(response: Response): Promise<Problem | undefined> {
  if (response.headers.get('content-type')?.startsWith('application/problem+json') !== true) {
    // Read no further: a body left open would hold its connection.
    await response.body?.cancel();
    return undefined;
  }
  const body: unknown = await response.json();
  if (typeof body !== 'object' || body === null) return undefined;
  const { code, detail }: { code?: unknown; detail?: unknown } = body;
  return typeof code === 'string' ? { code, detail: String(detail) } : undefined;
}

/** `Retry-After` in seconds (RFC 9110 §10.2.3); its other form, a date, depends on a clock and is passed over. */
function retryAfterMs(header: string | null): number {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : 0;
}
