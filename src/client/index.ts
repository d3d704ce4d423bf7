// `lablink-gateway/client`: watch one VM or all of them from Node or a browser.

export { createClient, type Client, type ClientOptions } from './client.js';
export type { Closed, ConnectionState, Refusal } from './connection.js';
export type { Delivery, Outcome, Presence } from '../protocol/presence.js';
export type { FleetChange, FleetUpdate, FleetWatch, WatchedVm } from './fleet.js';
export type { Runtime } from './runtime.js';
export type { OpenSocket, Socket, SocketEvents } from './socket.js';
export type { TokenSource } from './token.js';
export type { VmState, VmWatch } from './vm.js';
export { RefusedError, type WatchEvents } from './watch.js';
