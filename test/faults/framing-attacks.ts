// Makes hostile HTTP/1.1 from a seed: pipelined requests, bodies that are cut or lie about their
// length, upgrades behind other requests, large heads, and random bytes in all of them.

import { findDashboardScript } from '../helpers/dashboard-file.js';
import type { Mutations } from './mutations.js';

/** The tokens that attackers have. */
export interface AttackTokens {
  readonly admin: string;
  readonly dashboard: string;
}

/** The attacker's act after its last byte. */
const ENDINGS = ['read', 'half-close', 'reset', 'hold'] as const;
export type Ending = (typeof ENDINGS)[number];

/** The parts that one connection sends. */
export interface Attack {
  readonly kind: string;
  readonly parts: readonly Buffer[];
  readonly ending: Ending;
}

/** The id of requests that are hidden in bodies: no response may have it. */
export const SMUGGLED_ID = 'smuggled';

const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const HIDDEN = `GET /health/live HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${SMUGGLED_ID}\r\n\r\n`;
/** The first is served from memory, the second from the disk. */
const FILES = ['/docs/static/swagger-ui-bundle.js', `/assets/${findDashboardScript()}`] as const;
const LIST = '/v1/vms?limit=1000';
const MAX_PARTS = 6;

/** Makes attacks; the same seed makes the same ones. */
export class FramingAttacks {
  readonly #makers: Readonly<Record<string, () => string | Buffer>> = {
    pipelined: () => this.#repeat(40, () => this.#request()),
    'pipelined files': () => this.#repeat(40, () => get(this.random.of(FILES))),
    'aborted upload': () => this.#cut(this.#upload()),
    'chunked, cut': () => this.#cut(this.#chunked()),
    'pipelined upgrade': () =>
      this.#repeat(5, () => this.#request()) + this.#upgrade() + this.#request(),
    smuggling: () => this.#smuggle(),
    'large head': () => this.#largeHead(),
    'random bytes': () => this.#noisy(this.#repeat(4, () => this.#request())),
  };

  constructor(
    private readonly random: Mutations,
    private readonly tokens: AttackTokens,
  ) {}

  /** The names of all kinds of attack. */
  get kinds(): readonly string[] {
    return Object.keys(this.#makers);
  }

  /** Makes an attack of this kind; of any kind if it is undefined. */
  next(kind = this.kinds[this.random.index(this.kinds.length)] ?? ''): Attack {
    const bytes = this.#makers[kind]?.() ?? '';
    const whole = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    return { kind, parts: this.#split(whole), ending: this.random.of(ENDINGS) };
  }

  /** Asks for more than the buffers of the system can hold. */
  unreadLists(): string {
    return get(LIST, this.#bearer()).repeat(8);
  }

  #repeat(most: number, make: () => string): string {
    return Array.from({ length: 1 + this.random.index(most) }, make).join('');
  }

  #bearer(): string {
    const { admin, dashboard } = this.tokens;
    return `Authorization: Bearer ${this.random.of([admin, dashboard])}\r\n`;
  }

  #request(): string {
    const bearer = this.random.of(['', this.#bearer()]);
    return this.random.of([
      () => get('/health/live'),
      () => get(this.random.of(FILES)),
      () => get('/v1/vms?limit=1', bearer),
      () => get('/v1/vms/vm-1', `${bearer}Connection: close\r\n`),
      () => get('/health/ready').replace('GET', 'HEAD'),
      () => get('/v1/vms', UPGRADE).replace('GET', 'HEAD'),
      () => get('/metrics').replace('HTTP/1.1', 'HTTP/1.0'),
      () => this.#upload(),
      () => this.#chunked(),
      () => get('/x', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n'),
    ])();
  }

  #upgrade(): string {
    return get('/v1/vms', this.random.of(['', this.#bearer()]) + UPGRADE);
  }

  #upload(): string {
    const body = JSON.stringify({ email: 'x'.repeat(this.random.index(54_000)) });
    const expect = this.random.of(['', '', 'Expect: 100-continue\r\n']);
    const headers = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n${expect}`;
    return post(headers + this.random.of(['', this.#bearer()])) + body;
  }

  #chunked(): string {
    const headers = 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n';
    const chunks = this.#repeat(8, () => {
      const length = 1 + this.random.index(2_000);
      return `${length.toString(16)}\r\n${'y'.repeat(length)}\r\n`;
    });
    return `${post(headers + this.random.of(['', this.#bearer()]))}${chunks}0\r\n\r\n`;
  }

  /** Two answers to the question where a body ends, with a request behind the shorter one. */
  #smuggle(): string {
    const length = `Content-Length: ${HIDDEN.length + 5}\r\n`;
    const headers = this.random.of([
      `${length}Transfer-Encoding: chunked\r\n`,
      `Transfer-Encoding: chunked\r\n${length}`,
      `${length}Transfer-Encoding: xchunked\r\n`,
      `${length}Transfer-Encoding: chunked, identity\r\n`,
      `${length}Transfer-Encoding : chunked\r\n`,
      `${length}Transfer-Encoding:\r\n chunked\r\n`,
      `${length}Content-Length: 0\r\n`,
      `Content-Length: 0, ${HIDDEN.length}\r\n`,
      `Content-Length: +0\r\n`,
      'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
    ]);
    return `${post(headers)}0\r\n\r\n${HIDDEN}`;
  }

  #largeHead(): string {
    const size = this.random.index(40_000);
    return this.random.of([
      get('/health/live', `X: ${'x'.repeat(size)}\r\n`),
      get(`/v1/vms/${'x'.repeat(size)}`),
      get('/health/live', 'X: y\r\n'.repeat(size / 10)),
      `GET /health/live HTTP/1.1\r\nX: ${'x'.repeat(size / 4)}`,
    ]);
  }

  #cut(text: string): string {
    return text.slice(0, this.random.index(text.length));
  }

  #noisy(text: string): Buffer {
    const bytes = Buffer.from(text, 'latin1');
    for (let n = 0; n <= this.random.index(6); n++)
      bytes[this.random.index(bytes.length)] = this.random.index(256);
    return bytes;
  }

  #split(whole: Buffer): Buffer[] {
    const parts: Buffer[] = [];
    let from = 0;
    for (let n = this.random.index(MAX_PARTS); n > 0 && from < whole.length; n--) {
      const to = from + 1 + this.random.index(whole.length - from);
      parts.push(whole.subarray(from, to));
      from = to;
    }
    return [...parts, whole.subarray(from)];
  }
}

const get = (path: string, headers = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
const post = (headers: string): string =>
  `POST /v1/assignments HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
