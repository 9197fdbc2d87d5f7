// SPDX-License-Identifier: MIT
/** Entry point of the worker bundle. */
import { Host } from './host';
import type { Endpoint } from './protocol';

new Host(self as unknown as Endpoint);
