// SPDX-License-Identifier: MIT
import type { Unit } from '../model/types';

/** Units as formats spell them: ours, and what to multiply values by. Unknown units count as plain numbers. */
export function unitOf(text: string): { unit: Unit; scale: number; ms: number } {
  switch (text.toLowerCase()) {
    case 'ns': case 'nanosecond': case 'nanoseconds': return { unit: 'ns', scale: 1, ms: 1e-6 };
    case 'us': case 'µs': case 'μs': case 'microsecond': case 'microseconds': return { unit: 'us', scale: 1, ms: 1e-3 };
    case 'ms': case 'millisecond': case 'milliseconds': case 'tracing-ms': return { unit: 'us', scale: 1e3, ms: 1 };
    case 's': case 'second': case 'seconds': return { unit: 'us', scale: 1e6, ms: 1e3 };
    case 'b': case 'byte': case 'bytes': return { unit: 'bytes', scale: 1, ms: 0 };
    case 'kb': case 'kilobyte': case 'kilobytes': case 'kib': return { unit: 'bytes', scale: 1024, ms: 0 };
    case 'mb': case 'megabyte': case 'megabytes': case 'mib': return { unit: 'bytes', scale: 1 << 20, ms: 0 };
    case 'samples': return { unit: 'samples', scale: 1, ms: 0 };
    case 'count': case 'objects': return { unit: 'count', scale: 1, ms: 0 };
    default: return { unit: 'none', scale: 1, ms: 0 };
  }
}
