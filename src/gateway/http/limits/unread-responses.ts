// Bounds the bytes of responses that clients do not read: of one identity, and of all. When there
// are too many, the connections with the largest unread responses are closed.

import type { Socket } from 'node:net';

export const MAX_UNREAD_BYTES = 64 * 2 ** 20;
export const MAX_UNREAD_BYTES_OF_IDENTITY = 16 * 2 ** 20;

/** The part of a connection that is needed here. */
export type ResponseSocket = Pick<Socket, 'writableLength' | 'destroy'>;

/** The responses that are complete, and that their clients have not read yet. */
export class UnreadResponses {
  /** The identity of each; undefined without a token. */
  readonly #unread = new Map<ResponseSocket, string | undefined>();

  /**
   * Adds a response whose bytes are all written to its connection.
   * @returns a function that removes it, to be called once the response is closed
   */
  add(socket: ResponseSocket, identity: string | undefined): () => void {
    if (socket.writableLength === 0) return () => undefined;
    this.#unread.set(socket, identity);
    const others = [...this.#unread].filter(([, its]) => its === identity).map(([its]) => its);
    if (identity !== undefined) this.#shed(others, MAX_UNREAD_BYTES_OF_IDENTITY);
    this.#shed([...this.#unread.keys()], MAX_UNREAD_BYTES);
    return () => void this.#unread.delete(socket);
  }

  /** A single response may exceed the limit, because it is not repeated before it is read. */
  #shed(sockets: readonly ResponseSocket[], maxBytes: number): void {
    let bytes = sockets.reduce((sum, { writableLength }) => sum + writableLength, 0);
    if (bytes <= maxBytes) return;
    const largestFirst = [...sockets].sort((a, b) => b.writableLength - a.writableLength);
    for (const socket of largestFirst.slice(0, -1)) {
      if (bytes <= maxBytes) return;
      bytes -= socket.writableLength;
      this.#unread.delete(socket);
      socket.destroy();
    }
  }
}
