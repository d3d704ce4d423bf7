// `lablink-gateway/client`: watch one VM or all VMs, from Node or a browser.

export { createClient, type Client, type ClientOptions } from './client.js';
export type { Closed, ConnectionState, Rejection } from './reconnecting-connection.js';
export type { Delivery, Outcome, Presence } from '../protocol/presence.js';
export type { FleetChange, FleetUpdate, WatchedVm } from './fleet-change.js';
export type { FleetWatch } from './fleet.js';
export type { Runtime } from './runtime.js';
export type { OpenSocket, ClientSocket, SocketEvents } from './socket.js';
export type { TokenSource } from './token.js';
export type { VmState, VmWatch } from './vm.js';
export { RejectedError, type WatchEvents } from './watch.js';
