// SPDX-License-Identifier: MIT
/** Entry point of the worker bundle. */
import type { RemoteFile } from '../model/types';
import { Host } from './host';
import type { Endpoint } from './protocol';

declare global {
  /** Put before this script by scripts/boot.js: a message would wait until the page's thread is free. */
  var rustscopeFirst: RemoteFile | undefined;
}

const host = new Host(self as unknown as Endpoint);
if (globalThis.rustscopeFirst) host.prefetch(globalThis.rustscopeFirst);
