// The scenarios that every client must pass: a script of the gateway's side, as data.

import { readFileSync } from 'node:fs';

/** A token, or a JWT that expires soon. */
export type ScriptedToken = string | { readonly expiresInSeconds: number };

/** A step of the gateway's side. A step that waits fails if what it waits for does not come. */
export type Step =
  /** The client opens a socket at this path, with this token if it is named, and gets `welcome`. */
  | {
      readonly accept: string;
      readonly token?: string;
      /** Fields of `welcome` that differ; false sends none. */
      readonly welcome?: object | false;
    }
  /** Sends a message; the client prints its text. */
  | { readonly send: object }
  | { readonly sendText: string }
  | { readonly sendBinary: string }
  | { readonly close: number }
  /** Ends the connection without a close frame. */
  | { readonly drop: true }
  /** The client sends this message. */
  | { readonly receive: object }
  /** The client closes the socket with this code. */
  | { readonly closedWith: number }
  /** From now on everything is refused, as a problem if there is a `code`. */
  | { readonly refuse: { readonly status: number; readonly code?: string } }
  /** The client has asked over HTTP why it was refused, at this path; it is served again. */
  | { readonly refused: string }
  /** Replaces the content of the token file, which is `t1` at first. */
  | { readonly token: ScriptedToken }
  | { readonly signal: NodeJS.Signals }
  /** The client has ended with this exit code. */
  | { readonly exit: number };

export interface Scenario {
  readonly name: string;
  /** The VM that the client watches; undefined for all VMs. */
  readonly hostname?: string;
  readonly steps: readonly Step[];
}

/** Reads the table of scenarios. */
export function readScenarios(): readonly Scenario[] {
  const file = new URL('scenarios.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Scenario[];
}
