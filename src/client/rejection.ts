// Why an upgrade was rejected. A WebSocket does not say, so the client requests the same URL over
// HTTP. Only the gateway's own answer (a problem, RFC 9457) closes a watch for good: an error page
// of a proxy may be gone tomorrow.

import { describeNetworkError } from './network-error.js';
import type { Runtime } from './runtime.js';
import { CONNECT_TIMEOUT_MS, type CloseOutcome } from './socket-session.js';

interface Problem {
  readonly code: string;
  readonly detail: string;
}

/**
 * Requests `url` (http or https) and classifies the answer. Never rejects. If `signal` is aborted,
 * it resolves soon, with any outcome.
 */
export async function explainRejection(
  url: string,
  token: string | undefined,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<CloseOutcome> {
  const deadline = new AbortController();
  const abort = (): void => deadline.abort(new Error('it does not answer in time'));
  const cancel = runtime.after(CONNECT_TIMEOUT_MS, abort);
  signal.addEventListener('abort', abort);
  try {
    const response = await runtime.fetch(url, {
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...namePage(url, runtime.pageOrigin),
      },
      redirect: 'manual',
      signal: deadline.signal,
    });
    return await classifyResponse(response);
  } catch (cause) {
    return { return: 'soon', reason: describeNetworkError(cause), cause };
  } finally {
    cancel();
    signal.removeEventListener('abort', abort);
  }
}

/**
 * A browser sends `Origin` with an upgrade, but not with a GET to the page's own site. Without it
 * the gateway could not say that the two differ for it, as behind a proxy that changes `Host`.
 */
function namePage(url: string, pageOrigin: string | undefined): Record<string, string> {
  return pageOrigin === new URL(url).origin ? { 'x-page-origin': pageOrigin } : {};
}

async function classifyResponse(response: Response): Promise<CloseOutcome> {
  const problem = await readProblem(response);
  const code = response.status;
  const reason =
    problem === undefined ? `HTTP ${code}` : `HTTP ${code} ${problem.code}: ${problem.detail}`;
  const notBeforeMs = readRetryAfterMs(response.headers.get('retry-after'));

  if (code === 401) return { return: 'new-token', reason, code };
  if (code >= 500) return { return: 'soon', reason, code, notBeforeMs };
  // A VM without a row answers 404 over HTTP, but its socket opens: the rejection has passed.
  if (response.ok || problem?.code === 'vm_not_found') {
    const hint =
      'answers HTTP, but no WebSocket was opened; has it room for one more, and does a proxy forward the upgrade?';
    return { return: 'soon', reason: `the gateway ${hint}`, code };
  }
  // The proxy's settings may be mended while the page is open.
  const mayPass = code === 429 || problem?.code === 'origin_not_allowed';
  if (problem === undefined || mayPass) return { return: 'later', reason, code, notBeforeMs };
  if (problem.code === 'invalid_cursor') return { return: 'soon', reason, code, resync: true };
  return { return: 'no', reason, code };
}

async function readProblem(response: Response): Promise<Problem | undefined> {
  if (response.headers.get('content-type')?.startsWith('application/problem+json') !== true) {
    // An unread body would keep its connection open.
    await response.body?.cancel();
    return undefined;
  }
  const body: unknown = await response.json();
  if (typeof body !== 'object' || body === null) return undefined;
  const { code, detail }: { code?: unknown; detail?: unknown } = body;
  return typeof code === 'string' ? { code, detail: String(detail) } : undefined;
}

/**
 * Reads `Retry-After` in seconds (RFC 9110 §10.2.3). A date is ignored, because it depends on the
 * clocks of both sides.
 */
function readRetryAfterMs(header: string | null): number {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : 0;
}
